"""The configuration of a study: read, checked strictly, resolved."""

from saegrid.base.errors import ConfigError
from saegrid.config.check import resolve
from saegrid.config.models import Study

__all__ = ["ConfigError", "Study", "resolve"]
