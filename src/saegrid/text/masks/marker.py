"""The mask of the marker: every token with a character of the word put in or taken out."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from saegrid.text.masks.pair import Edit, Pair


def _offsets(original: str, edited: str, edit: str) -> Iterator[int]:
    """The offsets of `edit` in `edited` around which the two texts are equal."""
    offset = edited.find(edit)
    while offset >= 0 and original.startswith(edited[:offset]):
        if original[offset:].endswith(edited[offset + len(edit) :]):
            yield offset
        offset = edited.find(edit, offset + 1)


def _is_word(text: str, start: int, stop: int) -> bool:
    """Return True if the characters start..stop stand between blanks or ends of the text."""
    return not (text[:start][-1:].strip() or text[stop:][:1].strip())


def locate(original: str, edited: str, edit: str) -> tuple[int, int]:
    """The offset of the edit, and the number of characters of the original that it replaced.

    At the offset p, `edited` is `edited[:p] + edit + rest` and `original` is
    `edited[:p] + anything + rest`. Common characters alone do not decide: Lobbying and Bribing
    share "ing". If several offsets fit, as in a text that repeats itself, a whole word comes before
    a part of one, then the left before the right.

    Raises:
        ValueError: no offset fits.
    """
    offsets = list(_offsets(original, edited, edit)) if edit else []
    if not offsets:
        raise ValueError(
            f"putting {edit!r} into {original!r} in place of some characters must give the edited "
            f"text; got {edited!r}"
        )
    replaced = len(original) - len(edited) + len(edit)

    def parts(offset: int) -> tuple[bool, bool]:
        whole = _is_word(edited, offset, offset + len(edit))
        return not whole, not _is_word(original, offset, offset + replaced)

    return min(offsets, key=parts), replaced


def covering(ends: Sequence[int], start: int, stop: int) -> tuple[int, int]:
    """The token range that holds the characters start..stop; empty if there are none.

    `ends` never descends. A token holds the characters between the end of the one before it and its
    own; the later parts of a split character end together and belong to that character.
    """
    first = bisect_right(ends, start)
    if start >= stop or not ends:
        return first, first
    last = min(bisect_left(ends, stop), len(ends) - 1)
    return min(first, last), bisect_right(ends, ends[last])


def mask(pair: Pair) -> Edit:
    """The tokens with the edit's characters, and those with the characters that they replaced.

    Raises:
        ValueError: the edit is not known or does not fit; the message names the item.
    """
    if pair.edit is None:
        raise ValueError(
            f"Item {pair.id!r} has no `edit`, which the mask 'marker' needs. Give the corpus an "
            "edit column or take `mask: difference`."
        )
    try:
        offset, replaced = locate(pair.original.text, pair.edited.text, pair.edit)
    except ValueError as error:
        raise ValueError(
            f"Item {pair.id!r} cannot be masked by its marker: {error}. Mend the row or take "
            "`mask: difference`."
        ) from error
    return Edit(
        *covering(pair.edited.ends, offset, offset + len(pair.edit)),
        *covering(pair.original.ends, offset, offset + replaced),
    )
