"""The interface of masks: a pair of texts, and the edit between them."""

from collections.abc import Sequence
from typing import NamedTuple


class Text(NamedTuple):
    """A text with its token ids and the end of each token, in characters of the text."""

    text: str
    ids: Sequence[int]
    ends: Sequence[int]


class Pair(NamedTuple):
    """An original text, its edited text, and the word put in (None if it is not known)."""

    id: str
    original: Text
    edited: Text
    edit: str | None


class Edit(NamedTuple):
    """The half-open token ranges of the edit in the edited text and of what it replaced in the
    original.
    """

    edit_start: int
    edit_stop: int
    original_start: int
    original_stop: int
