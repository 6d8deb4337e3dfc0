"""The mask of the published study: the tokens between the common prefix and the common suffix."""

from collections.abc import Sequence

from saegrid.text.masks.pair import Edit, Pair


def difference(original_ids: Sequence[int], edited_ids: Sequence[int]) -> Edit:
    """The token ranges in which two id lists differ.

    The common prefix is taken first; the common suffix may not reach back into it. Therefore a
    range is empty if the other side only inserts or only repeats, and two separate edits are one
    range.
    """
    shorter = min(len(original_ids), len(edited_ids))
    left = 0
    while left < shorter and original_ids[left] == edited_ids[left]:
        left += 1
    right = 0
    while right < shorter - left and original_ids[-1 - right] == edited_ids[-1 - right]:
        right += 1
    return Edit(left, len(edited_ids) - right, left, len(original_ids) - right)


def mask(pair: Pair) -> Edit:
    """The difference of the pair's token ids."""
    return difference(pair.original.ids, pair.edited.ids)
