"""A model's folder: on this machine, or fetched from a hub (here one on the loopback)."""

import http.server
import threading

import pytest

from saegrid.models import hub


def test_a_local_folder_is_taken_as_it_is(tmp_path):
    assert hub.folder(str(tmp_path), None, hub.TOKENIZER) == tmp_path


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
