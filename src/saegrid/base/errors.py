"""Errors that several rooms raise."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and what is wrong in it."""


class ConfigError(ValueError):
    """A mistake in the config; the message names the key and the mend."""
