"""The error of interventions."""

from saegrid.base.errors import ConfigError


class InterventionError(ConfigError):
    """An intervention that cannot be made; the message says what was expected and the mend."""
