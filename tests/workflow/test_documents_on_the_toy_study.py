"""Python and searches of the documents, run on the finished toy study."""

import re
import shlex

import pytest
from finished import finished

from documents import blocks
from saegrid.command import main
from saegrid.command.search import parser

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
PYTHON = [block for block in blocks("python") if block.document != "CONTRIBUTING.md"]


def searches():
    """The arguments of the searches of the documents that write nothing into the study and follow
    no gradients: these have tests of their own."""
    found = {}
    for block in blocks("sh"):
        for line in block.text.splitlines():
            words = shlex.split(line, comments=True)
            if words[:2] == ["saegrid", "search"]:
                options = parser().parse_args(words[2:])
                if not (options.index or options.maximise):
                    found[line.partition("  #")[0]] = words[1:]
    return found


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A folder in which the toy study lies as it does after the first command."""
    study = finished("toy")
    for part in ("results", "resources"):
        (tmp_path / part).symlink_to(study / part)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python(toy, block):
    exec(block.text, {})


@pytest.mark.parametrize("words", searches().values(), ids=searches())
def test_searches_find_features(toy, words, capsys):
    assert main(words) == 0
    assert re.search(r"L\d+[AMR]-(32x|8x|frozen) +\d+", capsys.readouterr().out)
