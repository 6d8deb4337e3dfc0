"""The screen: a line that renews itself on a terminal, plain lines anywhere else."""

import io

import pytest

from snakemake_logger_plugin_saegrid.screen import CLEAR, Screen


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)


def shown(screen):
    screen.renew("1/3 jobs")
    screen.say(["12:00:00  FAILED a: why"])
    screen.renew("2/3 jobs")
    screen.renew("")
    screen.say(["Done: 3 jobs."])
    return screen.stream.getvalue()


def test_a_terminal_renews_its_last_line():
    text = shown(Screen(Terminal(), colours=False))
    rows = text.replace(CLEAR, "\n").split("\n")
    assert [row for row in rows if row] == [
        *("1/3 jobs", "12:00:00  FAILED a: why", "1/3 jobs", "2/3 jobs", "Done: 3 jobs.")
    ]
    assert Screen(Terminal()).width == 59


def test_a_file_has_no_control_characters():
    screen = Screen(io.StringIO())
    assert shown(screen) == "12:00:00  FAILED a: why\nDone: 3 jobs.\n"
    assert screen.width == 80


def test_colours_are_those_of_a_terminal_that_wants_them(monkeypatch):
    assert "\x1b[31mFAILED\x1b[0m" in shown(Screen(Terminal()))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in shown(Screen(Terminal()))
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in shown(Screen(Terminal()))


def test_a_reader_that_has_gone_ends_nothing():
    class Gone(Terminal):
        def write(self, text):
            raise BrokenPipeError

    screen = Screen(Gone())
    screen.renew("1/3 jobs")
    screen.say(["Done."])
    assert not screen.renews
