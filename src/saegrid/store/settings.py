"""The settings of a store."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class StoreError(ValueError):
    """An error of a store that cannot be made or read; the message says how to mend it."""


class Settings(NamedTuple):
    """The settings that decide a store's content, beside model, tokenizer and files."""

    choice: str = "all"
    """Tokens of a row that are kept: all, last, random, or mean of all; never special ones."""
    norm: str = "none"
    """Norm of the stored activations: none, layer (without scale and shift) or final (the model's
    own last norm)."""
    cut: str = "rows"
    """Treatment of texts longer than a row: `rows` goes on in further rows, `truncate` drops the
    rest."""
    max_characters: int | None = None
    """Length in characters at which texts are cut before they are tokenised, if possible at a
    blank; None: no cut."""
    max_length: int | None = None
    """Length of the longest row in tokens, special ones included; None: the model's context."""
    strip: str = "both"
    """Side on which blanks around a text are removed: both, left or none."""
    seed: int = 0
    """Seed of the choice of random tokens."""
    shard_tokens: int = 65_536
    """Number of entries at which a shard is closed; a text in progress is finished."""
    max_tokens: int | None = None
    """Number of real tokens after which filling stops; a text in progress is finished; None: no
    limit. It can be raised later: filling continues where it stopped."""
    max_texts: int | None = None
    """Number of texts that are taken; None: all."""

    @property
    def deciding(self) -> dict[str, Any]:
        """The settings that decide the bytes of a shard: all but the limits of the store."""
        values = self._asdict()
        return {name: values[name] for name in values if name not in ("max_tokens", "max_texts")}

    @property
    def extent(self) -> dict[str, Any]:
        """The limits of the store, in texts and tokens."""
        return {"max_tokens": self.max_tokens, "max_texts": self.max_texts}


ALLOWED = {
    "choice": ("all", "last", "random", "mean"),
    "norm": ("none", "layer", "final"),
    "cut": ("rows", "truncate"),
    "strip": ("both", "left", "none"),
}


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Checked settings of a store from a mapping; StoreError names the one that is wrong."""
    if unknown := sorted(set(values) - set(Settings._fields)):
        raise StoreError(f"store: {unknown[0]} is unknown. Known: {', '.join(Settings._fields)}.")
    settings = Settings(**values)
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
