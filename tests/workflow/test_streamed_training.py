"""SAEs that learn from a store."""

import re

import pytest
from finished import STREAMED, finished, streamed
from pipeline import jobs_to_run, planned, run

from saegrid.store.manifest import read_manifest

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def weights(folder):
    """The file of each SAE, its bytes."""
    paths = sorted(folder.glob("results/streamed/saes/*-8x/sae_weights.safetensors"))
    return {path.parent.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize(("together", "cores"), [(None, "4"), ("all", "1")])
def test_trainings_fill_the_store_beside(tmp_path, together, cores):
    """Trainings of two sites at the same time, or of all together, fill one store; its end and
    theirs are the same."""
    before = finished("streamed")
    folder = streamed(tmp_path / "saegrid", together=together, beside=True)
    jobs = jobs_to_run(folder, study=STREAMED, targets=("saes",))
    assert jobs["begin_store"] == 1 and "fill_store" not in jobs
    if together is None:
        assert planned(folder, "saes", study=STREAMED) == jobs
        assert re.search(r"^ *begin_store +1 ", run(folder, "estimate", study=STREAMED), re.M)
    run(folder, "saes", "--cores", cores, study=STREAMED)
    assert jobs_to_run(folder, study=STREAMED, targets=("saes",)) == {}
    assert weights(folder) == weights(before)
    assert len(weights(folder)) == 2
    stores = [next(f.glob("results/streamed/generated/store/*")) for f in (before, folder)]
    assert read_manifest(stores[0]) == read_manifest(stores[1])
    # Who wants the store itself finds it filled.
    run(folder, "activations", study=STREAMED)
    assert read_manifest(stores[1]).complete
    assert (stores[1] / "L1A.json").read_bytes() == (stores[0] / "L1A.json").read_bytes()
    assert planned(folder, "saes", study=STREAMED) == {}
