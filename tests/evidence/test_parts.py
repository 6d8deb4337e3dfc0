"""Parts of the texts: what is taken where nothing is named, and parts that meet."""

import numpy as np
import pytest

from clustered import clusters, texts_of
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.parts import chosen, parts

SPLITS, OTHERS = ["train", "dev", "test"], ["funlines", "web"]
KEPT = "...xxx.x..xx..x.x.x."
NAMED = {"share": None, "seed": 3}


def of(splits=SPLITS, **named):
    return parts("main", splits, OTHERS, {**NAMED, **named})


def split(name):
    return {"corpus": "main", "split": name}


def test_the_usual_splits_are_taken():
    assert list(of().items()) == [
        ("discovery", split("train")),
        ("confirmation", split("dev")),
        ("test", split("test")),
    ]
    assert "test" not in of(["train", "dev"])


def test_without_splits_originals_are_cut_by_seed():
    assert of([]) == {
        "discovery": {"corpus": "main", "share": [0.0, 0.7], "seed": 3},
        "confirmation": {"corpus": "main", "share": [0.7, 1.0], "seed": 3},
    }


def test_named_parts_stand_in_order():
    found = of(confirmation="test", discovery="train", beyond=["funlines", "dev"])
    assert list(found) == ["discovery", "confirmation", "funlines", "dev"]
    assert found["funlines"] == {"corpus": "funlines", "split": None}


def test_another_corpus_confirms_what_all_of_the_main_one_found():
    found = of(confirmation="funlines")
    assert found["discovery"] == split(None)
    assert list(found) == ["discovery", "confirmation"]


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ({"discovery": "train"}, "tests.confirmation: must be named where the other part is. Name"),
        ({"confirmation": "dev"}, "tests.discovery: must be named where the other part is"),
        ({"discovery": "x", "confirmation": "dev"}, "discovery: 'x' is neither a split of main"),
        ({"beyond": ["x"]}, "tests.beyond: 'x' is neither a split of main .* nor a corpus of role"),
        ({"discovery": "dev", "confirmation": "dev"}, "confirmation: has texts of discovery"),
        ({"beyond": ["train"]}, "tests.beyond: has texts of discovery"),
        ({"beyond": ["test"]}, "tests.beyond: has texts of test"),
        ({"beyond": ["web", "web"]}, "tests.beyond: has texts of web"),
        # Shares of all originals hold texts of every split.
        ({"test": "test"}, "tests.test: has texts of discovery"),
        ({"confirmation": "funlines", "beyond": ["dev"]}, "tests.beyond: has texts of discovery"),
    ],
)
def test_parts_that_meet_or_are_unknown_are_one_sentence(named, sentence):
    with pytest.raises(Unusable, match=sentence):
        of(**named)


@pytest.mark.parametrize(("share", "sizes"), [(0.5, (30, 15)), (0.7, (42, 21)), (0.3, (18, 9))])
def test_balanced_parts_have_their_share_of_each_class(share, sizes):
    rng = np.random.default_rng(1)
    kind = rng.permutation(["a"] * 60 + ["b"] * 30)
    texts = texts_of(np.arange(90), {"kind": list(kind)})
    cut = of([], share=share, balanced=True, label="kind")
    assert cut["discovery"] == {"corpus": "main", "share": [0.0, share], "seed": 3, "by": "kind"}
    first, second = (chosen(texts, part) for part in cut.values())
    assert (first ^ second).all()
    assert (int((first & (kind == "a")).sum()), int((first & (kind == "b")).sum())) == sizes
    other = chosen(texts, cut["discovery"] | {"seed": 4})
    assert 0.2 < (first == other).mean() < 0.8 and first.sum() == other.sum()


@pytest.mark.parametrize("label", [None, "grade", "absent"])
def test_balanced_parts_keep_originals_whole_and_take_numbers_for_one_class(label):
    cluster = clusters(np.random.default_rng(0), 401)
    texts = texts_of(cluster, {"grade": list(np.linspace(0, 3, len(cluster)))})
    first, second = (
        chosen(texts, part) for part in of([], share=0.5, balanced=True, label=label).values()
    )
    assert (first ^ second).all() and not set(cluster[first]) & set(cluster[second])
    assert sorted(len(set(cluster[one])) for one in (first, second)) == [
        len(set(cluster)) // 2, (len(set(cluster)) + 1) // 2
    ]  # fmt: skip


def test_balanced_halves_are_drawn_without_a_lean():
    """Over seeds each text is in the first half as often as not, and so are pairs, nearly."""
    texts = texts_of(np.arange(40), {"kind": ["a", "b"] * 20})
    cut = of([], share=0.5, balanced=True, label="kind")["discovery"]
    drawn = np.array([chosen(texts, cut | {"seed": seed}) for seed in range(2000)])
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 4 * 0.5 / np.sqrt(2000)
    together = (drawn[:, :1] & drawn[:, 2::2]).mean(axis=0)
    # Of 20 of one class 10 are taken: two of them with the chance 10 / 20 x 9 / 19.
    assert np.abs(together - 0.5 * 9 / 19).max() < 4.5 * np.sqrt(0.237 * 0.763 / 2000)


def test_an_unchanged_config_keeps_its_cut():
    """The first twenty texts by seed 0, as they have fallen since there are shares."""
    part = {"corpus": "main", "share": [0.0, 0.5], "seed": 0}
    texts = texts_of(np.arange(20), {})
    assert "".join("x" if one else "." for one in chosen(texts, part)) == KEPT


def test_a_part_is_a_split_or_a_share_of_originals():
    cluster = clusters(np.random.default_rng(0), 2000)
    texts = texts_of(cluster, {"split": ["train" if c % 2 else "dev" for c in cluster]})
    assert np.array_equal(chosen(texts, split("train")), cluster % 2 == 1)
    assert chosen(texts, {"corpus": "web", "split": None}).all()
    found = [chosen(texts, part) for part in of([]).values()]
    assert (found[0] ^ found[1]).all()
    for one in found:
        assert not set(cluster[one]) & set(cluster[~one])
    assert len(set(cluster[found[0]])) / 2000 == pytest.approx(0.7, abs=0.03)
    other = chosen(texts, {"corpus": "main", "share": [0.0, 0.7], "seed": 4})
    assert 0.4 < (other == found[0]).mean() < 0.7
    # An original is chosen by itself, whatever else there is.
    alone = chosen(texts._replace(cluster=cluster[:50]), of([])["discovery"])
    assert np.array_equal(alone, found[0][:50])
