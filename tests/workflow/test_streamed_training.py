"""SAEs that learn from a store."""

import re

import pytest
import yaml
from pipeline import ROOT, checkout, planned, run

from saegrid.base.recorded import recorded_spec
from saegrid.store.manifest import read_manifest
from stores import words

pytestmark = pytest.mark.workflow

STUDY = ("--configfile", "config/streamed.yaml")


def streamed(folder, together, positions=("r",), **store):
    """A study whose SAEs learn from a stream."""
    folder = checkout(folder)
    (folder / "texts.txt").write_text("\n".join(words(80, 1, longest=20)))
    study = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    study["study"] = "streamed"
    study["corpora"]["generated"] = {
        "role": "train",
        "source": {"kind": "text", "files": {"all": "texts.txt"}},
        "store": {"shard_tokens": 200, **store},
    }
    study["saes"]["8x"]["together"] = together
    study["grid"] = [{"layers": [1], "positions": list(positions), "saes": ["8x"]}]
    (folder / "config/streamed.yaml").write_text(yaml.safe_dump(study))
    return folder


def weights(folder):
    """The file of each SAE, its bytes."""
    paths = sorted(folder.glob("results/streamed/saes/*-8x/sae_weights.safetensors"))
    return {path.parent.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize("together", [None, "all"])
def test_saes_learn_from_a_streamed_corpus(tmp_path, together):
    folder = streamed(tmp_path / "saegrid", together)
    run(folder, "saes", study=STUDY)
    assert planned(folder, "saes", study=STUDY) == {}
    spec = recorded_spec(folder / "results/streamed/saes/L1R-8x/sae_weights.safetensors")
    assert '"corpus":"generated"' in spec


@pytest.mark.parametrize(("together", "cores"), [(None, "4"), ("all", "1")])
def test_trainings_fill_the_store_beside(tmp_path, together, cores):
    """Those of two sites at the same time fill one store; its end and theirs are the same."""
    before = streamed(tmp_path / "before", together, "ar")
    run(before, "saes", "activations", study=STUDY)
    folder = streamed(tmp_path / "beside", together, "ar", beside=True)
    jobs = planned(folder, "saes", study=STUDY)
    assert jobs["begin_store"] == 1 and "fill_store" not in jobs
    assert re.search(r"^ *begin_store +1 ", run(folder, "estimate", study=STUDY), re.M)
    run(folder, "saes", "--cores", cores, study=STUDY)
    assert planned(folder, "saes", study=STUDY) == {}
    assert weights(folder) == weights(before)
    assert len(weights(folder)) == 2
    stores = [next(f.glob("results/streamed/generated/store/*")) for f in (before, folder)]
    assert read_manifest(stores[0]) == read_manifest(stores[1])
    # Who wants the store itself finds it filled.
    run(folder, "activations", study=STUDY)
    assert read_manifest(stores[1]).complete
    assert (stores[1] / "L1A.json").read_bytes() == (stores[0] / "L1A.json").read_bytes()
    assert planned(folder, "saes", study=STUDY) == {}
