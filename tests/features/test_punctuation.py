"""Real text on a real small model: no feature of punctuation reads as a noun.

The features are hidden neurons of its MLP, on where they are among their strongest: they need no
training, and dozens of them fire on punctuation.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from saegrid.capture import activations
from saegrid.capture.corpus import capture_corpus
from saegrid.codes.sparse import from_pairs
from saegrid.features.density import counted, density
from saegrid.features.examples import examples, top_tokens
from saegrid.meaning.cell import about
from saegrid.meaning.concepts import Rule
from saegrid.meaning.vocabulary import occurrences_of, vocabulary
from saegrid.pages.browser.page import page
from saegrid.text.lexicons.lexicon import read_lexicons
from saegrid.text.tokenizer import load
from saegrid.text.tokens import tokens

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from reading import Document

STORIES, STRONGEST = 16, 0.04
EVERY = {"edited": True, "original": False, "context": "all", "seed": 0}


def is_mark(token: str) -> bool:
    return bool(token.strip()) and not any(letter.isalnum() for letter in token)


@pytest.fixture(scope="module")
def cell(shared_data, tmp_path_factory):
    """The tables of neurons of stories3M on stories: tokens, features, densities, examples, and
    what each is about."""
    sample = shared_data / "corpus-tinystories-sample" / "tinystories_sample.txt"
    stories = sample.read_text(encoding="utf-8").split("<|endoftext|>")[:STORIES]
    number = pa.array(range(STORIES), pa.int32())
    items = pa.table(
        {
            "item": number,
            "id": [str(n) for n in range(STORIES)],
            "original": pa.nulls(STORIES, pa.string()),
            "edited": [story.strip() for story in stories],
            "edit": pa.nulls(STORIES, pa.string()),
            "group": number,
        }
    )
    folder = shared_data / "stories3M-hf"
    made = tokens(items, None, load(folder), "headline", "difference", max_length=512)
    room = tmp_path_factory.mktemp("neurons")
    model = {"path": str(folder), "revision": None, "dtype": "float32", "family": "auto"}
    model |= {"weights": "pretrained", "seed": 0, "bos": "auto", "device": "cpu", "tokenizer": None}
    where = room / "L3N.safetensors"
    capture_corpus(model, made.tokens, made.spans, EVERY, [where], room / "store", memory_mb=4000)
    x, token = activations.read(where)
    on = x > np.maximum(np.quantile(x, 1 - STRONGEST, axis=0), 0)
    row, neuron = np.nonzero(on)
    features = from_pairs(neuron, token[row], x[row, neuron], token, x.shape[1])
    kept = np.ones(STORIES, bool)
    table = density(features, made.tokens, kept)
    top = top_tokens(features, table, made.tokens, kept)
    sampled = examples(features, table, made.tokens, kept)
    of = occurrences_of(made.tokens, items, kept)
    words, _ = vocabulary(of, read_lexicons(["lists", "wordnet"]), 5, "wordnet")
    text = made.tokens["text"].to_pylist()
    judged = about(features, of, words, text, Rule(), 5, 99, 0).concepts
    return made.tokens, features, table, top, sampled, judged


def test_no_feature_of_punctuation_reads_as_a_noun(cell) -> None:
    table, features, densities, top, sampled, judged = cell
    text = table["text"].to_pylist()
    masked = counted(table, np.ones(STORIES, bool), features.token).masked
    marks = np.array([is_mark(token) for token in text])
    hit = masked[features.indices]
    owner, index = features.owners()[hit], features.indices[hit]
    n_active = np.bincount(owner, minlength=features.d_sae)
    on_marks = np.bincount(owner, marks[index], minlength=features.d_sae)
    mostly = set(np.flatnonzero(on_marks > n_active / 2).tolist())
    assert len(mostly) > 10

    rows = [row for row in top.to_pylist() if is_mark(row["token"])]
    assert len(rows) > 500
    assert all(row["word"] == row["token"].strip() for row in rows)

    kinds = dict(zip(judged["feature"].to_pylist(), judged["kind"].to_pylist(), strict=True))
    assert mostly <= kinds.keys()
    assert not {kinds[feature] for feature in mostly} & {"meaning", "coherent", "word", "letter"}

    facts = {"study": "s", "corpus": "c", "cell": "L3N-x", "model": "m", "site": "L3N", "sae": "x"}
    facts |= {"d_sae": features.d_sae, "n_tokens": 1, "n_masked": 1, "spec": "{}"}
    document = Document(page(facts, densities, top, sampled, table, features, judged))
    opened = document.open("index")
    columns, strings = opened["columns"], opened["strings"]
    for place, feature in enumerate(columns["feature"]):
        commonest, count = columns["tokens"][place][:2]
        if feature in mostly:
            assert is_mark(strings[commonest]), (feature, strings[commonest])
        own = index[owner == feature]
        assert count == sum(text[i].strip() == strings[commonest].strip() for i in own.tolist())
