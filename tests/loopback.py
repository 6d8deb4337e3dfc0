"""A hub on this machine, for tests: files of a folder, in pieces where asked, with checksums."""

import http.server
import json
import os
import re
import threading
from contextlib import contextmanager
from hashlib import sha1, sha256
from pathlib import Path
from typing import NamedTuple

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SMALL = 10_000
"""Bytes up to which a file is kept in git, and has git's checksum."""


class Asked(NamedTuple):
    path: str
    """Repository and path in it."""
    start: int
    """First byte that was asked for."""
    sent: int


class Hub:
    """Repositories are the folders `root/{owner}/{name}`, all at the one commit."""

    def __init__(self, root):
        self.root = Path(root)
        self.gets: list[Asked] = []
        self.heads: list[str] = []
        self.stop_after: int | None = None
        """Send as many bytes of a file, then nothing more: the connection stays open."""
        self.ranges = True
        self.spoilt: set[str] = set()
        """Paths whose content is not what their checksum says."""
        self.go_on = threading.Event()
        self.url = ""

    def described(self, name):
        """The hub's answer on a repository; None where it is not there."""
        folder = self.root / name
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        if not files:
            return None
        named = [
            {"rfilename": path.relative_to(folder).as_posix(), "size": path.stat().st_size}
            for path in files
        ]
        own = name.removeprefix("datasets/")
        return {"id": own, "modelId": own, "sha": COMMIT, "siblings": named}

    def fetched(self, ending=""):
        """The number of times that each file was fetched from its first byte."""
        counts = {}
        for asked in self.gets:
            if asked.start == 0 and asked.path.endswith(ending):
                counts[asked.path] = counts.get(asked.path, 0) + 1
        return counts


def checksum(content):
    if len(content) > SMALL:
        return sha256(content).hexdigest()
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()


def handler(hub):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer(head=True)

        def do_GET(self):
            self.answer(head=False)

        def answer_api(self, kind, name):
            facts = hub.described(name if kind == "models" else f"datasets/{name}")
            body = json.dumps(facts or {"error": "Repository not found"}).encode()
            self.send_response(200 if facts else 404)
            if not facts:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def answer(self, head):
            api = re.fullmatch(
                rf"/api/(models|datasets)/([^/?]+(?:/[^/?]+)?)(?:/revision/{COMMIT})?(?:\?.*)?",
                self.path,
            )
            if api:
                self.answer_api(*api.groups())
                return
            match = re.fullmatch(f"/((?:datasets/)?[^/]+/[^/]+)/resolve/{COMMIT}/(.+)", self.path)
            path = hub.root / "/".join(match.groups()) if match else None
            if path is None or not path.is_file():
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            name, content = "/".join(match.groups()), path.read_bytes()
            etag, size = checksum(content), len(content)
            if name in hub.spoilt:
                content = bytes(size)
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            ranged = asked is not None and hub.ranges
            start = int(asked[1]) if ranged else 0
            stop = int(asked[2]) + 1 if ranged and asked[2] else size
            self.send_response(206 if start or stop < size else 200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{etag}"')
            self.send_header("Content-Length", str(stop - start))
            if start or stop < size:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
            self.end_headers()
            if head:
                hub.heads.append(name)
                return
            body = content[start:stop]
            cut = None if hub.stop_after is None or size <= SMALL else hub.stop_after
            hub.gets.append(Asked(name, start, len(body[:cut])))
            try:
                self.wfile.write(body[:cut])
                self.wfile.flush()
                if cut is not None:
                    hub.go_on.wait(60)
            except OSError:  # who asked was killed
                self.close_connection = True

    return Handler


@contextmanager
def serve(root):
    """A running hub."""
    hub = Hub(root)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        server.shutdown()
        server.server_close()


def environment(hub, **more):
    """The environment of a process that uses this hub and no other."""
    proxies = {"http_proxy", "https_proxy", "all_proxy"}
    kept = {name: value for name, value in os.environ.items() if name.lower() not in proxies}
    return {**kept, "HF_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1", **more}


def use(hub, monkeypatch, own_cache):
    """This process uses this hub, and `own_cache` as the cache of huggingface_hub itself."""
    from huggingface_hub import constants

    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(own_cache))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
