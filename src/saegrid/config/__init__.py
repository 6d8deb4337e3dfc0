"""The configuration of a study: read, checked strictly, resolved."""

from saegrid.config.check import ConfigError, resolve
from saegrid.config.models import Study

__all__ = ["ConfigError", "Study", "resolve"]
