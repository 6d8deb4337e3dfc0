"""Occurrences of words, and activations on them, by hand and by dense loops."""

import numpy as np
import pyarrow as pa
import pytest

from saegrid.codes.sparse import from_pairs
from saegrid.meaning.occurrences import Fired, fired, occurrences


def tokens_table(rows):
    """rows: (side, item, [text, ...], places of the edit) each; '[' is a special token."""
    lines = []
    for number, (side, item, texts, edit) in enumerate(rows):
        for position, text in enumerate(texts):
            lines.append(
                {
                    "row": number,
                    "position": position,
                    "item": item,
                    "side": side,
                    "special": text == "[",
                    "in_edit": position in edit,
                    "text": text,
                }
            )
    table = pa.Table.from_pylist(lines)
    return table.set_column(0, "row", table["row"].cast(pa.int32()))


EDITED = tokens_table(
    [
        ("original", 0, ["[", "Big", " dogs", " run"], ()),
        ("edited", 0, ["[", "Big", " ham", "ster", " run"], (2, 3)),
        ("edited", 1, ["[", "Puppies", " vote"], (1,)),
        ("edited", 2, ["[", "We", " see", " fat", " cats"], (3, 4)),
    ]
)
PLAIN = tokens_table([("plain", 0, ["[", "The", " pan", "-", "cake", " cake", " cake", "."], ())])


def test_an_edit_is_one_occurrence_with_its_own_word():
    masked = np.asarray(EDITED["in_edit"].to_pylist())
    of = occurrences(EDITED, masked, ["hamster", "Puppies", "cats"])
    assert of.word == ["hamster", "Puppies", "cats"] and of.item.tolist() == [0, 1, 2]
    assert np.flatnonzero(of.token >= 0).tolist() == np.flatnonzero(masked).tolist()
    assert of.token[masked].tolist() == [0, 0, 1, 2, 2]
    assert of.start.tolist() == [False, True, False] and of.stop.tolist() == [False, False, True]


def test_an_item_that_is_not_kept_has_none():
    masked = np.asarray(EDITED["in_edit"].to_pylist()) & (EDITED["item"].to_numpy() != 1)
    of = occurrences(EDITED, masked, ["hamster", "Puppies", "cats"])
    assert of.word == ["hamster", "cats"] and of.item.tolist() == [0, 2]


def test_plain_text_has_an_occurrence_a_word():
    masked = ~np.asarray(PLAIN["special"].to_pylist())
    of = occurrences(PLAIN, masked, None)
    # A mark is a word of its own and cuts the word that it stands in; a word said twice is two.
    assert of.word == ["The", "pan-cake", "-", "pan-cake", "cake", "cake", "."]
    assert of.start.tolist() == [True] + [False] * 6
    assert of.stop.tolist() == [False] * 6 + [True]


def test_nothing_is_masked():
    of = occurrences(EDITED, np.zeros(EDITED.num_rows, bool), ["a", "b", "c"])
    assert of.n == 0 and (of.token == -1).all()
    codes = from_pairs(np.array([1]), np.array([2]), np.array([1.0]), np.arange(17), 3)
    assert len(fired(codes, of).feature) == 0


@pytest.mark.parametrize("seed", range(3))
def test_activations_are_the_largest_of_the_dense_tokens(seed):
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 4, (EDITED.num_rows, 9)).astype(np.float32)
    dense[:, 4] = 0
    token, feature = np.nonzero(dense)
    codes = from_pairs(feature, token, dense[token, feature], np.arange(len(dense)), 9)
    masked = np.asarray(EDITED["in_edit"].to_pylist())
    of = occurrences(EDITED, masked, ["a", "b", "c"])
    expected = []
    for feature in range(9):
        own = []
        for at in range(3):
            inside = np.flatnonzero(of.token == at)
            best = inside[np.argmax(dense[inside, feature])]
            if dense[best, feature] > 0:
                own.append((-dense[best, feature], at, best))
        expected += [(feature, at, -value, best) for value, at, best in sorted(own)]
    found = fired(codes, of)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected


def test_the_first_of_each_feature_and_those_with_enough():
    of = Fired(*(np.array(c) for c in ([1, 1, 1, 5, 7, 7], range(6), [3, 2, 1] * 2, range(6))))
    assert of.place().tolist() == [0, 1, 2, 0, 0, 1]
    assert of.first(2).feature.tolist() == [1, 1, 5, 7, 7]
    assert of.of_at_least(2).feature.tolist() == [1, 1, 1, 7, 7]
    empty = Fired(*(np.zeros(0, int) for _ in range(4)))
    assert len(empty.of_at_least(2).feature) == 0 == len(empty.first(3).feature)
