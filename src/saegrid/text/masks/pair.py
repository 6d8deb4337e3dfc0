"""What a mask gets and what it gives back."""

from collections.abc import Sequence
from typing import NamedTuple


class Text(NamedTuple):
    """A text, its token ids, and where each token ends, in characters of the text."""

    text: str
    ids: Sequence[int]
    ends: Sequence[int]


class Pair(NamedTuple):
    """An original text, its edited text, and the word put in (None where it is not known)."""

    id: str
    original: Text
    edited: Text
    edit: str | None


class Edit(NamedTuple):
    """Half-open token ranges: the edit in the edited text, what it replaced in the original."""

    edit_start: int
    edit_stop: int
    original_start: int
    original_stop: int
