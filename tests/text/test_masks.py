"""Edit masks: known answers (D1) and laws."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saegrid.base import registry
from saegrid.text.masks import MASKS
from saegrid.text.masks.difference import difference
from saegrid.text.masks.marker import covering, locate
from saegrid.text.masks.pair import Edit, Pair, Text

SHARED = list(range(100, 109))

KNOWN = {
    "the published example, its own ids": (
        [40, 5988, 11291, 7, *SHARED],
        [40, 5988, 1, 2, 3, 4, *SHARED],
        {2, 3, 4, 5},
        {2, 3},
    ),
    "identical": ([1, 2, 3], [1, 2, 3], set(), set()),
    "deletion": ([1, 2, 3], [1, 3], set(), {1}),
    "a repeated token put in": ([1, 2], [1, 1, 2], {1}, set()),
    "a third of two equal tokens": ([7, 7], [7, 7, 7], {2}, set()),
    "one of two equal tokens out": ([1, 9, 9, 2], [1, 9, 2], set(), {2}),
    "at the start": ([1, 2, 3], [4, 2, 3], {0}, {0}),
    "at the end": ([1, 2, 3], [1, 2, 4], {2}, {2}),
    "all different": ([1, 2, 3], [4, 5, 6, 7], {0, 1, 2, 3}, {0, 1, 2}),
    "from nothing": ([], [1], {0}, set()),
    "between equal neighbours": ([1, 5, 2, 5, 3], [1, 5, 8, 5, 3], {2}, {2}),
    "two edits are one": ([1, 2, 9, 4], [1, 8, 9, 7, 4], {1, 2, 3}, {1, 2}),
}


@pytest.mark.parametrize("case", KNOWN)
def test_known_answers(case: str) -> None:
    original, edited, in_edit, replaced = KNOWN[case]
    found = difference(original, edited)
    assert set(range(found.edit_start, found.edit_stop)) == in_edit
    assert set(range(found.original_start, found.original_stop)) == replaced


def test_the_published_example_has_15_tokens() -> None:
    found = difference(*KNOWN["the published example, its own ids"][:2])
    mask = [found.edit_start <= position < found.edit_stop for position in range(15)]
    assert mask == [False] * 2 + [True] * 4 + [False] * 9
    activations = [0, 0.3, 0.5, 0.6, 0.1, 0, 0, 0, 0.2, 0.9, 0, 0, 0, 0, 0]
    masked = [value * keep for value, keep in zip(activations, mask, strict=True)]
    assert masked == [0, 0, 0.5, 0.6, 0.1] + [0] * 10


ids = st.lists(st.integers(0, 3), max_size=8)


@settings(deadline=None)
@given(ids, ids)
def test_outside_the_ranges_the_sides_are_equal(original: list[int], edited: list[int]) -> None:
    found = difference(original, edited)
    left, right = found.edit_start, len(edited) - found.edit_stop
    assert left + right <= min(len(original), len(edited))
    assert original[: found.original_start] == edited[:left]
    assert original[found.original_stop :] == edited[found.edit_stop :]
    assert len(original) - found.original_stop == right


@settings(deadline=None)
@given(ids, ids)
def test_ranges_are_tight_and_start_together(original: list[int], edited: list[int]) -> None:
    found = difference(original, edited)
    assert found.edit_start == found.original_start
    inserted = edited[found.edit_start : found.edit_stop]
    replaced = original[found.original_start : found.original_stop]
    if inserted and replaced:
        assert inserted[0] != replaced[0]
        assert inserted[-1] != replaced[-1]


@settings(deadline=None)
@given(ids, ids)
def test_the_sides_swap(original: list[int], edited: list[int]) -> None:
    found = difference(original, edited)
    assert difference(edited, original) == found[2:] + found[:2]


@settings(deadline=None)
@given(ids, ids, ids)
def test_a_common_prefix_shifts(original: list[int], edited: list[int], prefix: list[int]) -> None:
    shifted = difference(prefix + original, prefix + edited)
    assert shifted == tuple(at + len(prefix) for at in difference(original, edited))


@settings(deadline=None)
@given(ids, ids, ids)
def test_a_common_suffix_keeps_sizes(
    original: list[int], edited: list[int], suffix: list[int]
) -> None:
    bare = difference(original, edited)
    found = difference(original + suffix, edited + suffix)
    assert found.edit_stop - found.edit_start == bare.edit_stop - bare.edit_start
    assert found.original_stop - found.original_start == bare.original_stop - bare.original_start
    if bare.edit_start < min(len(original), len(edited)):
        assert found == bare


@pytest.mark.parametrize(
    ("original", "edited", "edit", "place"),
    [
        ("FBI Raids Office", "FBI Redecorates Office", "Redecorates", (4, 5)),
        ("Trump 's Lobbying", "Trump 's Bribing", "Bribing", (9, 8)),
        ("Raids", "Sheep", "Sheep", (0, 5)),
        ("cat says the cat", "cat says the dog", "dog", (13, 3)),
        ("the cat at a cat", "a cat at a cat", "a", (0, 3)),
        ("war war war", "war war war", "war", (0, 3)),
        (" no", "no no", "no", (0, 0)),
        ("sandal and a hat", "sand and a hat", "sand", (0, 6)),
    ],
)
def test_the_marker_is_found(original: str, edited: str, edit: str, place: tuple[int, int]) -> None:
    assert locate(original, edited, edit) == place


words = st.text("ab ", max_size=6)


@settings(deadline=None)
@given(words, words, words.filter(bool), words)
def test_the_place_explains_the_pair(head: str, replaced: str, edit: str, tail: str) -> None:
    original, edited = head + replaced + tail, head + edit + tail
    place, length = locate(original, edited, edit)
    assert edited[place : place + len(edit)] == edit
    assert edited[:place] == original[:place]
    assert edited[place + len(edit) :] == original[place + length :]


@pytest.mark.parametrize(
    ("characters", "expected"),
    [
        ((3, 7), (1, 2)),
        ((0, 1), (0, 1)),
        ((2, 4), (0, 2)),
        ((7, 8), (2, 4)),
        ((8, 20), (4, 5)),
        ((9, 11), (4, 5)),
        ((4, 4), (1, 1)),
    ],
)
def test_covering_counts_every_part_of_a_split_character(
    characters: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert covering([3, 7, 8, 8, 9], *characters) == expected


def text(value: str) -> Text:
    """A text whose characters are its tokens."""
    return Text(value, [ord(character) for character in value], range(1, len(value) + 1))


def test_masks_differ_where_words_share_letters() -> None:
    pair = Pair("7", text("Lobbying on"), text("Bribing on"), "Bribing")
    assert registry.pick(MASKS, "difference", "mask")(pair) == Edit(0, 4, 0, 5)
    assert registry.pick(MASKS, "marker", "mask")(pair) == Edit(0, 7, 0, 8)


@pytest.mark.parametrize("name", MASKS)
def test_every_mask_finds_a_plain_replacement(name: str) -> None:
    pair = Pair("7", text("a bc d"), text("a xyz d"), "xyz")
    assert registry.pick(MASKS, name, "mask")(pair) == (2, 5, 2, 4)


def test_marker_without_an_edit_is_refused() -> None:
    with pytest.raises(ValueError) as caught:
        registry.pick(MASKS, "marker", "mask")(Pair("7", text("a b"), text("a c"), None))
    assert str(caught.value) == (
        "Item '7' has no `edit`, which the mask 'marker' needs. Give the corpus an edit column or "
        "take `mask: difference`."
    )


@pytest.mark.parametrize(
    ("original", "edited", "edit"),
    [("a b", "a c", "d"), ("a b", "a c", ""), ("aa", "aaba", "b"), ("x b", "a c", "c")],
)
def test_marker_without_a_place_is_refused(original: str, edited: str, edit: str) -> None:
    with pytest.raises(ValueError) as caught:
        registry.pick(MASKS, "marker", "mask")(Pair("7", text(original), text(edited), edit))
    assert str(caught.value) == (
        f"Item '7' cannot be masked by its marker: putting {edit!r} into {original!r} in place of "
        f"some characters must give the edited text; got {edited!r}. Mend the row or take "
        "`mask: difference`."
    )


def test_an_unknown_mask_is_named() -> None:
    with pytest.raises(ValueError) as caught:
        registry.pick(MASKS, "diference", "mask")
    assert str(caught.value) == (
        "mask 'diference' is unknown. Did you mean 'difference'? Known: difference, marker."
    )
