"""A study as a graph of files: what each stage depends on, writes, and can be asked for."""

from saegrid.stages.plan.files import Plan

__all__ = ["Plan"]
