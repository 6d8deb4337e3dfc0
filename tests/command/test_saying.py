"""The words of commands beside their answers: mistakes, and how far a long one is."""

import io
import re
from pathlib import Path

from saegrid import command
from saegrid.command.bar import Bar
from saegrid.command.saying import refuse, say


def test_mistakes_are_a_line_each_behind_the_name_of_the_command(capsys):
    assert refuse("new", "no model.", ValueError("no texts.")) == 1
    assert capsys.readouterr().err == "saegrid new: no model.\nsaegrid new: no texts.\n"
    say("new", [])
    assert capsys.readouterr() == ("", "")


def test_no_command_prints_its_mistakes_by_itself():
    for path in Path(command.__file__).parent.glob("*.py"):
        own = re.findall(r"print\(\s*f?\"saegrid \w+:", path.read_text())
        assert not own, path.name


class Terminal(io.StringIO):
    def isatty(self):
        return True


WEIGHTS = {"plain/a": 100, "plain/b": 300, "c": 600}


def bar(stream, times):
    return Bar(WEIGHTS, stream, iter(times).__next__)


def test_a_bar_on_a_terminal_is_renewed_and_gone_at_the_end(monkeypatch):
    """After 10 of 100 bytes in 4 s; 6 s for 400 of 1,000 leave 9 s for the other 600."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with bar(stream, [0.0, 4.0, 6.0, 6.1]) as one:
        for name in ("config.json", "plain/a.csv", "plain/b.csv", "c.csv"):
            one.step(name)
    first, second, end = stream.getvalue().split("\r\033[K")[1:]
    assert first == "1 of 3 tables, 10 %"
    assert second == "2 of 3 tables, 40 %, 9 s left"
    assert end == "", "the third came too soon behind the second"


def test_a_bar_in_a_file_is_a_line_now_and_then():
    stream = io.StringIO()
    with bar(stream, [0.0, 9.0, 20.0, 25.0]) as one:
        for name in ("plain/a.parquet", "plain/b.parquet", "c.parquet"):
            one.step(name)
    assert stream.getvalue() == "2 of 3 tables, 40 %, 30 s left\n"
