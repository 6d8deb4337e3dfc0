"""Settings of a store."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class StoreError(ValueError):
    """A store that cannot be made or read; the message says how to mend it."""


class Settings(NamedTuple):
    """What decides the content of a store beside model, tokenizer and files."""

    choice: str = "all"
    """Which tokens of a row are kept: all, last, random, or mean of all; never special ones."""
    norm: str = "none"
    """none, layer (without scale and shift) or final (the model's own last norm)."""
    cut: str = "rows"
    """Of what is longer than a row: `rows` goes on in further rows, `truncate` drops the rest."""
    max_characters: int | None = None
    """Longer texts are cut here before they are tokenised, at a blank where there is one."""
    max_length: int | None = None
    """Longest row in tokens, special ones included; None: the model's context."""
    strip: str = "both"
    """Blanks that are removed around a text: both, left or none."""
    seed: int = 0
    """Of the random tokens."""
    shard_tokens: int = 65_536
    """A shard is closed behind the text with which it has so many entries."""
    max_tokens: int | None = None
    """No text is begun once there are so many real tokens; None: no end."""
    max_texts: int | None = None
    """How many texts are taken; None: all."""

    @property
    def deciding(self) -> dict[str, Any]:
        """What decides the bytes of a shard: all but how far the store goes."""
        told = self._asdict()
        return {name: told[name] for name in told if name not in ("max_tokens", "max_texts")}

    @property
    def extent(self) -> dict[str, Any]:
        """How far the store goes."""
        return {"max_tokens": self.max_tokens, "max_texts": self.max_texts}


ALLOWED = {
    "choice": ("all", "last", "random", "mean"),
    "norm": ("none", "layer", "final"),
    "cut": ("rows", "truncate"),
    "strip": ("both", "left", "none"),
}


def settings_of(told: Mapping[str, Any]) -> Settings:
    """Checked settings; StoreError names the one that is wrong."""
    if unknown := sorted(set(told) - set(Settings._fields)):
        raise StoreError(f"store: {unknown[0]} is unknown. Known: {', '.join(Settings._fields)}.")
    settings = Settings(**told)
    for name, allowed in ALLOWED.items():
        if getattr(settings, name) not in allowed:
            raise StoreError(
                f"store.{name} must be one of {', '.join(allowed)}; "
                f"got {getattr(settings, name)!r}."
            )
    for name in ("shard_tokens", "max_tokens", "max_texts", "max_characters", "max_length"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise StoreError(f"store.{name} must be at least 1; got {value}.")
    return settings
