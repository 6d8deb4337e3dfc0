"""The commits of a study's repositories, looked up on a hub (here one on the loopback)."""

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from asking import cell_at, plan_of, spec
from saegrid.config import ConfigError, resolve
from saegrid.config.check import cells
from saegrid.saes.formats.llama_scope import names
from saegrid.saes.pin import PinError, Repository, pins

ROOT = Path(__file__).parents[2]
MODEL = "meta-llama/Llama-3.1-8B"
HUMOR = yaml.safe_load((ROOT / "config/humor.yaml").read_text())
WEIGHTS = ("hyperparams.json", "checkpoints/final.safetensors")


def commit(repo):
    """A commit made up from a repository's name."""
    return f"{sum(map(ord, repo)):040x}"


def repositories():
    """What the hub holds: every layer of the six repositories, and the model."""
    found = {MODEL: ["config.json", "tokenizer.json", "model.safetensors.index.json"]}
    for cell in cells(resolve(HUMOR)):
        repo, folder = names(cell.site, int(cell.sae.removesuffix("x")))
        found.setdefault(repo, []).extend(f"{folder}/{name}" for name in WEIGHTS)
    return found


def finder(files):
    return lambda repo: Repository(commit(repo), frozenset(files[repo]))


def test_humor_names_the_six_repositories_and_the_folder_of_every_cell():
    study = resolve(HUMOR)
    asked = repositories()
    assert len(asked) == 7
    assert sum(map(len, asked.values())) == 3 + 2 * 150
    overlay = pins(study, MODEL, finder(asked))
    assert overlay["model"] == {"path": MODEL, "revision": commit(MODEL)}
    for name in ("8x", "32x"):
        assert overlay["saes"][name]["path"] is None
        assert overlay["saes"][name]["revision"] == {
            p: commit(f"fnlp/Llama3_1-8B-Base-LX{p}-{name}") for p in "AMR"
        }


def test_a_file_that_is_missing_is_told():
    files = repositories()
    files["fnlp/Llama3_1-8B-Base-LXM-32x"].remove("Llama3_1-8B-Base-L19M-32x/hyperparams.json")
    with pytest.raises(PinError) as error:
        pins(resolve(HUMOR), MODEL, finder(files))
    assert "Llama3_1-8B-Base-L19M-32x/hyperparams.json is not there" in str(error.value)
    assert "L19M-32x needs it" in str(error.value)
    files = repositories()
    files[MODEL] = ["config.json", "consolidated.00.pth"]
    with pytest.raises(PinError, match=r"there is no model\.safetensors nor model"):
        pins(resolve(HUMOR), MODEL, finder(files))


def over(base, overlay):
    """A config laid over another, as Snakemake does it."""
    merged = dict(base)
    for key, value in overlay.items():
        merged[key] = over(merged.get(key, {}), value) if isinstance(value, dict) else value
    return merged


def test_laid_over_the_config_each_cell_has_repository_folder_and_commit(tmp_path):
    overlay = pins(resolve(HUMOR), MODEL, finder(repositories()))
    plan = plan_of(over(HUMOR, overlay))
    for cell in cells(plan.study):
        where = plan.saes.checkpoint(str(cell))
        repo, folder = names(cell.site, int(cell.sae.removesuffix("x")))
        assert (where["path"], where["repo"], where["folder"]) == (None, repo, folder)
        assert where["revision"] == commit(repo)
    json.loads(spec(plan, "import_sae", cell_at("", "L15R-8x")))


def test_a_path_comes_before_the_hub_and_the_hub_needs_a_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("LLAMA_SCOPE", str(tmp_path))
    plan = plan_of(HUMOR)
    where = plan.saes.checkpoint("L15R-8x")
    assert where["path"] == "${LLAMA_SCOPE}/Llama3_1-8B-Base-L15R-8x"
    assert where["repo"] is where["folder"] is where["revision"] is None
    hub = {"saes": {"8x": {"path": None}, "32x": {"path": None, "revision": {"R": "0" * 40}}}}
    plan = plan_of(over(HUMOR, hub))
    assert plan.saes.checkpoint("L15R-32x")["revision"] == "0" * 40
    for cell, repo in (("L15A-8x", "LXA-8x"), ("L15A-32x", "LXA-32x")):
        with pytest.raises(ConfigError) as error:
            spec(plan, "import_sae", cell_at("", cell))
        assert f"commit of fnlp/Llama3_1-8B-Base-{repo} (position A)" in str(error.value)
        assert "python -m saegrid.saes.pin" in str(error.value)


def test_from_a_hub_on_the_loopback(tmp_path):
    """The command itself, with the hub's own client."""
    files = repositories()

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            repo = self.path.partition("?")[0].removeprefix("/api/models/")
            if repo not in files:
                self.send_error(404)
                return
            siblings = [{"rfilename": name} for name in files[repo]]
            facts = {"id": repo, "modelId": repo, "sha": commit(repo), "siblings": siblings}
            body = json.dumps(facts).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    environment = {**os.environ, "HF_ENDPOINT": address, "NO_PROXY": "127.0.0.1"}
    environment |= {"HF_HOME": str(tmp_path), "no_proxy": "127.0.0.1"}
    overlay = tmp_path / "humor-hub.yaml"

    def command(model):
        return subprocess.run(
            [sys.executable, "-m", "saegrid.saes.pin", "config/humor.yaml", model, str(overlay)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )

    try:
        done = command(MODEL)
        assert done.returncode == 0, done.stderr
        refused = command("meta-llama/none-such")
    finally:
        server.shutdown()
        server.server_close()
    written = yaml.safe_load(overlay.read_text())
    assert written == pins(resolve(HUMOR), MODEL, finder(files))
    assert "snakemake --configfile config/humor.yaml" in overlay.read_text()
    assert refused.returncode != 0
    assert refused.stderr.startswith("meta-llama/none-such: the hub does not tell its commit")
    assert "Traceback" not in refused.stderr
