"""A readout from the words to the page: vectors, codes, and the same bytes in another order."""

import re

import numpy as np
import pytest
from finished import READOUT, copy, finished
from pipeline import planned

from saegrid.base import io
from saegrid.capture import activations
from saegrid.evidence.probes.labelled import read_words
from saegrid.saes.reference import open_sae
from saegrid.saes.sae import decode, encode

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
SITES = ("L1M", "L1N")


@pytest.fixture(scope="module")
def study():
    return finished("readout") / "results/readout"


def tensors(study, path):
    return io.read_tensors(study / f"words/readout/{path}.safetensors")


def test_every_word_of_both_classes_is_read(study):
    words = read_words(str(study / "words/readout/texts.parquet"))
    assert words.classes == ("animals", "food") and len(words.text) == 80
    assert words.y.sum() == 40 and words.text[0] == "pizza" and len({*words.type}) == 80


def test_vectors_are_those_of_the_captured_tokens(study):
    table = io.read_table(study / "words/readout/texts.parquet")
    for site in SITES:
        (path,) = study.glob(f"words/activations/*/{site}.safetensors")
        x, token = activations.read(path)
        made = tensors(study, f"sites/{site}")
        assert sorted(made) == ["x/last", "x/mean", "x/padded"]
        for row, own in enumerate(table["token"].to_pylist()):
            at = np.searchsorted(token, own)
            assert np.allclose(
                made["x/mean"][row], x[at].astype(np.float64).mean(axis=0), atol=1e-6
            )
            assert np.array_equal(made["x/last"][row], x[at[-1]])


def test_codes_are_those_of_the_vectors(study):
    for cell in ("L1M-seed0", "L1M-frozen"):
        made, sae = tensors(study, f"cells/{cell}"), open_sae(study / f"saes/{cell}")
        for name in ("mean", "last", "padded"):
            x = tensors(study, "sites/L1M")[f"x/{name}"]
            z = encode(sae.encoder, x)
            assert len(made[f"codes/{name}/data"]) == np.count_nonzero(z)
            assert np.allclose(made[f"x_hat/{name}"], decode(sae, z), atol=1e-4)


def test_the_page_has_all_sections_and_the_index_a_link(study):
    page = (study / "probes.html").read_text()
    anchors = re.findall(r'<section id="(\w+)"', page)
    assert anchors[0] == "answer" and anchors[-1] == "words"
    assert {"units", "localisation"} <= {*anchors}
    assert "What tells food from animals?" in page and "nan" not in page.lower().split()


def test_settings_of_tests_make_no_vector_again(study, tmp_path):
    folder = copy(study.parents[1], tmp_path / "saegrid")
    path = folder / READOUT[-1]
    path.write_text(path.read_text().replace("permutations: 100", "permutations: 120"))
    assert {*planned(folder, "all_readout", study=READOUT)} == {"readout_units", "readout"}
