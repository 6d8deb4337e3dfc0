"""A model's folder: on this machine, or fetched from a hub (here one on the loopback)."""

import http.server
import json
import shutil
import threading
from fnmatch import fnmatch

import pytest

from saegrid.models import hub


def test_a_local_folder_is_taken_as_it_is(tmp_path):
    assert hub.folder(str(tmp_path), None, hub.TOKENIZER) == tmp_path


@pytest.mark.parametrize("whole", [False, True])
def test_the_files_of_the_model_are_fetched_and_nothing_beside(tmp_path, monkeypatch, whole):
    """A fake hub, for the client's listing of a repository is its own."""
    at, parts = tmp_path / "repository", ("a[1].safetensors", "part/b.safetensors")
    index = {"weight_map": dict(zip("ab", parts, strict=True))}
    files = ["config.json", "tokenizer.json", "consolidated.safetensors", "other.bin", *parts]
    for name in [*files, *(["model.safetensors"] if whole else [])]:
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(name)
    (at / "model.safetensors.index.json").write_text(json.dumps(index))

    def snapshot_download(name, revision, allow_patterns):
        assert (name, revision) == ("some/model", "0" * 40)
        for path in at.rglob("*"):
            known = path.relative_to(at).as_posix()
            if path.is_file() and any(fnmatch(known, pattern) for pattern in allow_patterns):
                (tmp_path / "cache" / known).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, tmp_path / "cache" / known)
        return str(tmp_path / "cache")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    folder = hub.folder("some/model", "0" * 40, hub.WEIGHTS)
    fetched = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    both = {"config.json", "model.safetensors.index.json"}
    assert fetched == both | ({"model.safetensors"} if whole else set(parts))


def test_what_the_hub_does_not_have_is_told(tmp_path, monkeypatch):
    class Nothing(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        import huggingface_hub.constants as constants

        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(FileNotFoundError) as error:
            hub.folder("some/model", "0" * 40, hub.WEIGHTS)
    finally:
        server.shutdown()
        server.server_close()
    message = str(error.value)
    assert message.startswith(f"model.path: 'some/model' (revision {'0' * 40}) is no folder")
    assert message.endswith("or name a local folder.")
