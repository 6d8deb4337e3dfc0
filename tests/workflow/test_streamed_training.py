"""SAEs that learn from a store."""

import pytest
import yaml
from pipeline import ROOT, checkout, planned, run

from saegrid import io
from stores import words

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize("together", [None, "all"])
def test_saes_learn_from_a_streamed_corpus(tmp_path, together):
    folder = checkout(tmp_path / "saegrid")
    (folder / "texts.txt").write_text("\n".join(words(80, 1, longest=20)))
    study = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    study["study"] = "streamed"
    study["corpora"]["generated"] = {
        "role": "train",
        "source": {"kind": "text", "files": {"all": "texts.txt"}},
        "store": {"shard_tokens": 200},
    }
    study["saes"]["8x"]["together"] = together
    (folder / "config/streamed.yaml").write_text(yaml.safe_dump(study))
    chosen = ("--configfile", "config/streamed.yaml")
    run(folder, "saes", study=chosen)
    assert planned(folder, "saes", study=chosen) == {}
    spec = io.recorded_spec(folder / "results/streamed/saes/L1R-8x/sae_weights.safetensors")
    assert '"corpus":"generated"' in spec
