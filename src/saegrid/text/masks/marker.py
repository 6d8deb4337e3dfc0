"""The mask of the marker: every token that holds a character of the word put in or taken out."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from saegrid.text.masks.pair import Edit, Pair


def _places(original: str, edited: str, edit: str) -> Iterator[int]:
    """Every place of `edit` in `edited` around which the two texts are equal."""
    place = edited.find(edit)
    while place >= 0 and original.startswith(edited[:place]):
        if original[place:].endswith(edited[place + len(edit) :]):
            yield place
        place = edited.find(edit, place + 1)


def _is_word(text: str, start: int, stop: int) -> bool:
    """Whether the characters start..stop stand between blanks or ends of the text."""
    return not (text[:start][-1:].strip() or text[stop:][:1].strip())


def locate(original: str, edited: str, edit: str) -> tuple[int, int]:
    """Where the marker stands, and how many characters of the original it held.

    The place p is one where `edited` is `edited[:p] + edit + rest` and `original` is
    `edited[:p] + anything + rest`. The common characters alone do not tell: Lobbying and Bribing
    share "ing". Where several places would do, which takes a text that repeats itself, a whole
    word comes before a part of one, then the left before the right.

    Raises ValueError where there is no such place.
    """
    places = list(_places(original, edited, edit)) if edit else []
    if not places:
        raise ValueError(
            f"putting {edit!r} into {original!r} in place of some characters must give the edited "
            f"text; got {edited!r}"
        )
    replaced = len(original) - len(edited) + len(edit)

    def parts(place: int) -> tuple[bool, bool]:
        whole = _is_word(edited, place, place + len(edit))
        return not whole, not _is_word(original, place, place + replaced)

    return min(places, key=parts), replaced


def covering(ends: Sequence[int], start: int, stop: int) -> tuple[int, int]:
    """The token range that holds the characters start..stop; empty where they are none.

    `ends` never falls. A token holds what lies between the end of the one before it and its own;
    the later parts of a split character end together and belong to that character.
    """
    first = bisect_right(ends, start)
    if start >= stop or not ends:
        return first, first
    last = min(bisect_left(ends, stop), len(ends) - 1)
    return min(first, last), bisect_right(ends, ends[last])


def mask(pair: Pair) -> Edit:
    """The tokens that hold the edit's characters, and those that hold what they replaced.

    Raises ValueError, naming the item, where the edit is not known or has no place.
    """
    if pair.edit is None:
        raise ValueError(
            f"Item {pair.id!r} has no `edit`, which the mask 'marker' needs. Give the corpus an "
            "edit column or take `mask: difference`."
        )
    try:
        place, replaced = locate(pair.original.text, pair.edited.text, pair.edit)
    except ValueError as error:
        raise ValueError(
            f"Item {pair.id!r} cannot be masked by its marker: {error}. Mend the row or take "
            "`mask: difference`."
        ) from error
    return Edit(
        *covering(pair.edited.ends, place, place + len(pair.edit)),
        *covering(pair.original.ends, place, place + replaced),
    )
