"""A result tells what made it, or why it cannot be read, and never raises."""

import html
import json
import os
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

from saegrid.base import io
from saegrid.base.recorded import READERS, Recorded, recorded, recorded_spec
from saegrid.pages.figures import with_spec

PAGE = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="saegrid-spec" content="{&quot;a&quot;:1}">\n</head>\n<body></body>\n</html>'
)
SPEC = '{"a":1}'


@pytest.fixture
def results(tmp_path):
    """A whole file of each kind."""
    io.write_json(tmp_path / "a.json", {"x": 1, "y": ["}"]}, SPEC)
    io.write_table(tmp_path / "a.parquet", pa.table({"x": list(range(999))}), SPEC)
    io.write_tensors(tmp_path / "a.safetensors", {"x": np.ones(99, np.float32)}, SPEC)
    (tmp_path / "a.html").write_text(PAGE)
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    figure.savefig(tmp_path / "a.svg")
    figure.savefig(tmp_path / "a.pdf")
    (tmp_path / "a.svg").write_text(with_spec((tmp_path / "a.svg").read_text(), SPEC))
    return tmp_path


def unreadable(paths):
    """The damage of each file that has one."""
    damages = {path: recorded(path).damage for path in paths}
    return {path: damage for path, damage in damages.items() if damage}


def test_whole_files_have_their_spec_and_no_damage(results):
    assert unreadable(results.iterdir()) == {}
    for path in results.iterdir():
        # A figure for print stands beside one for pages, which records the spec of both.
        spec = "" if path.suffix == ".pdf" else SPEC
        assert recorded(path) == Recorded(spec) and recorded_spec(path) == spec


@pytest.mark.parametrize("spec", ['{"a":"<!-- -- --> &\\""}', json.dumps({"a": "-" * 99_999})])
def test_any_spec_comes_back_from_pages_and_figures(results, spec):
    """Marks of comments, and more than the head of a file that is read first."""
    svg, page = results / "a.svg", results / "a.html"
    svg.write_text(with_spec("<?xml version='1.0'?>\n<svg></svg>\n", spec))
    page.write_text(PAGE.replace("{&quot;a&quot;:1}", html.escape(spec)))
    assert recorded(svg) == recorded(page) == Recorded(spec)
    ElementTree.parse(svg)


DAMAGES = {
    "garbage": lambda raw: b"garbage",
    "garbage as long": lambda raw: os.urandom(len(raw)),
    "half": lambda raw: raw[: len(raw) // 2],
    "all but the last byte": lambda raw: raw[:-1],
    "one byte more": lambda raw: raw + b"x",
    "empty": lambda raw: b"",
    "zeros": lambda raw: bytes(len(raw)),
    "the first bytes lost": lambda raw: b"????????" + raw[8:],
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_and_never_raises(results, kind, damage):
    path = results / f"a{kind}"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    (told,) = unreadable(results.iterdir()).items()
    assert told[0] == path and told[1] and "\n" not in told[1]
    assert recorded_spec(path) is None
    assert str(path) not in told[1]


def test_the_reason_is_told_in_a_few_words(results):
    for name, content, words in (
        ("a.json", b"", "it is empty"),
        ("a.json", b"[1]\n", "it holds no JSON object"),
        ("a.json", b'{"saegrid_spec": 5}\n', "its spec is no text"),
        ("a.html", PAGE.encode()[:-20], "it is cut short: </html> is missing"),
        ("a.svg", b"hello", "it does not begin with <?xml"),
        ("a.pdf", b"%PDF-1.4\nhello", "it is cut short: %%EOF is missing"),
    ):
        (results / name).write_bytes(content)
        assert recorded(results / name).damage == words
    path = results / "a.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "file not fully covered" in recorded(path).damage


def test_deep_nesting_folders_and_files_that_are_gone(results):
    (results / "a.json").write_text("[" * 100_000)
    (results / "a.parquet").unlink()
    (results / "a.parquet").mkdir()
    assert recorded(results / "a.json").damage
    # What the system does not give out may well be whole.
    with pytest.raises(IsADirectoryError):
        recorded(results / "a.parquet")
    assert recorded_spec(results / "nowhere.json") is None


def test_files_without_a_spec_are_whole(results):
    (results / "cfg.json").write_text(json.dumps({"d_in": 1}) + "\n")
    io.write_table(results / "b.parquet", pa.table({"x": [1]}))
    (results / "notes.txt").write_text("hello")
    for name in ("cfg.json", "b.parquet", "notes.txt"):
        assert recorded_spec(results / name) == ""
