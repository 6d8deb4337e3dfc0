"""Parts of the texts: what is taken where nothing is named, and parts that meet."""

import numpy as np
import pytest

from clustered import clusters, texts_of
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.parts import chosen, parts

SPLITS, OTHERS = ["train", "dev", "test"], ["funlines", "web"]
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
