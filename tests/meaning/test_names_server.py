"""Names from a server on the loopback that answers, is late, wrong or gone; nothing is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from naming import TOPICS, draws, good, knows, material, said, serve, tiny_llama
from saegrid.base.errors import ConfigError
from saegrid.meaning.names.chosen import donors
from saegrid.meaning.names.namer import Case
from saegrid.meaning.names.openai import OpenAI
from saegrid.meaning.names.run import most, planned, remarks, run
from saegrid.meaning.names.run import subject_of as subject

KEY = "sk-very-secret-0123"


@pytest.fixture(scope="module")
def drawn():
    return draws(material())


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "answers"


def namer(folder, url, **more):
    more = {"timeout": 5.0, "retries": 1, "sleep": lambda s: None, "batch": 10} | more
    return OpenAI(str(folder), "m", url, **more)


def outcome(drawn, of, say=lambda line: None):
    return run(drawn, donors(np.arange(len(drawn))), of, "openai", say)


def files(folder):
    return sorted(Path(folder).rglob("*.json"))


def test_a_server_that_knows_gives_perfect_scores_and_is_asked_as_often_as_said(drawn, folder):
    lines = []
    with serve() as served:
        result = outcome(drawn, namer(folder, served.url), lines.extend)
    assert result.names["name"].to_pylist() == TOPICS
    assert result.names["detection"].to_pylist() == result.names["fuzzing"].to_pylist() == [1.0] * 4
    assert max(result.names["null_fuzzing"].to_pylist()) == 0.5
    # 4 names; 20 contexts of detection and 12 of fuzzing, ten a question, by two names each.
    assert len(served.asked) == 4 + 4 * 2 * (2 + 2) == len(files(folder)) == len(set(served.asked))
    assert lines[0].startswith("names: 36 calls to openai at most, about ")
    assert most(4, 12, 10) >= 36 and result.missing == {} and remarks(result) == []
    body = served.bodies[0]
    assert (body["model"], body["temperature"], body["stream"]) == ("m", 0, False)
    assert "Authorization" not in served.headers[0]


def test_what_was_answered_is_not_asked_again_and_is_the_same(drawn, folder):
    with serve() as served:
        first = outcome(drawn, namer(folder, served.url))
        n, lines = len(served.asked), []
        again = outcome(drawn, namer(folder, served.url, timeout=9.0, at_once=1), lines.extend)
        assert len(served.asked) == n and lines == ["names: 0 calls to openai at most"]
        outcome(drawn, namer(folder, served.url, options={"temperature": 0.5}))
        assert len(served.asked) == 2 * n  # another setting has other answers
    assert again.names.equals(first.names) and again.contexts.equals(first.contexts)


WRONG = {
    "no_json": (200, "certainly!", {}),
    "half": (200, said("x")[:20], {}),
    "no_choices": (200, "{}", {}),
    "list": (200, "[1, 2]", {}),
    "html": (200, "<html><body>Sign in</body></html>", {}),
    "nothing": (200, "", {}),
    "empty": (200, said(""), {}),
    "null": (200, said(None), {}),
    "refuses": (200, said(None, refusal="I will not."), {}),
    "prose": (200, said("I'm sorry, I can't help with that."), {}),
    "short": (200, said('{"name": ""} [1]'), {}),
    "error": (500, "oops", {}),
    "busy": (429, "slow down", {"Retry-After": "3"}),
    "moved": (302, "", {"Location": "http://127.0.0.1:1/v1/chat/completions"}),
    "forbidden": (401, f"bad key {KEY}", {}),
}
AGAIN = {"no_json", "half", "no_choices", "list", "html", "nothing", "error", "busy"}
"""Failures after which a question is asked a second time."""


@pytest.mark.parametrize("kind", WRONG)
def test_a_server_that_is_wrong_loses_nothing(kind, drawn, folder, monkeypatch):
    """Every third question goes wrong: the others stay, and a second run asks these alone."""
    monkeypatch.setenv("NAMES_KEY", KEY)
    waits, bad = [], set()

    def answer(number, prompt):
        if prompt in bad or (len(set(served.asked)) % 3 == 2 and prompt not in fine):
            bad.add(prompt)
            return WRONG[kind]
        fine.add(prompt)
        return good(number, prompt)

    fine = set()
    with serve(answer) as served:
        of = namer(folder, served.url, at_once=1, sleep=waits.append, key="NAMES_KEY")
        result = outcome(drawn, of)
        assert len(files(folder)) == len(fine) > 0 and bad
        missing = [row for row in result.names.to_pylist() if row["name"] is None]
        assert missing and all(row["why"] for row in missing)
        for row in result.contexts.to_pylist():
            assert row["use"] == "shown" or row["verdict"] is not None or row["why"] or missing
        asked = len(served.asked)
        assert asked == len(fine) + len(bad) * (2 if kind in AGAIN else 1)
        assert set(waits) == ({3.0} if kind == "busy" else {1.0} if kind in AGAIN else set())
        assert any("missing" in line for line in remarks(result))
        served.answer = good
        again = outcome(drawn, of)
        assert not set(served.asked[asked:]) & fine
    assert again.names["name"].to_pylist() == TOPICS and again.missing == {}
    said_ = json.dumps([result.names.to_pylist(), result.contexts.to_pylist(), remarks(result)])
    assert KEY not in said_ and all(KEY not in path.read_text() for path in files(folder))


def test_a_server_that_is_gone_is_asked_no_more(drawn, folder):
    def answer(number, prompt):
        return good(number, prompt) if number < 6 else WRONG["error"]

    with serve(answer) as served:
        result = outcome(drawn, namer(folder, served.url, at_once=1))
        assert len(served.asked) == 6 + 3 * 2 and len(files(folder)) == 6
    (why, *_) = result.missing
    assert why == (
        "not asked, since 3 questions before had no answer: the server answers 500: oops"
    )
    url = served.url  # nobody listens any more
    rows = outcome(drawn, namer(folder, url)).names.to_pylist()
    assert [row["name"] for row in rows] == TOPICS
    assert any("the server cannot be reached" in (row["why_null"] or "") for row in rows)
    with serve() as served:
        again = outcome(drawn, namer(folder, served.url))
        assert len(served.asked) == 36 - 6 and again.missing == {}


@pytest.mark.parametrize("how", ["silent", "drips"])
def test_a_server_that_is_late_is_not_waited_for(how, drawn, folder):
    def answer(number, prompt):
        if how == "silent":
            time.sleep(1.5)
        return 200, said(knows(prompt)), {"X-Drip": "1"}

    few = {f: drawn[f] for f in (0,)}
    with serve(answer) as served:
        began = time.monotonic()
        result = outcome(few, namer(folder, served.url, timeout=0.3, retries=0))
        assert time.monotonic() - began < 5
    assert result.names["why"].to_pylist() == ["no answer within 0.3 s"]


def test_no_more_questions_at_a_time_than_allowed(drawn, folder):
    def answer(number, prompt):
        time.sleep(0.05)
        return good(number, prompt)

    with serve(answer) as served:
        outcome(drawn, namer(folder, served.url, at_once=3))
    assert served.most_at_once == 3


def test_a_key_is_sent_and_stands_nowhere(drawn, folder, monkeypatch, capfd):
    monkeypatch.setenv("NAMES_KEY", f" {KEY}\n")

    def answer(number, prompt):  # a server that says the key in each answer
        name = json.dumps({"name": f"{KEY} {TOPICS[number % 4]}"})
        return 200, said(name if "name" in prompt[-40:] else knows(prompt)), {}

    with serve(answer) as served:
        of = namer(folder, served.url, key="NAMES_KEY", at_once=1)
        result = of.name([subject(f, several, None) for f, several in drawn.items()])
        assert served.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert [answer.value for answer in result] == [f"*** {topic}" for topic in TOPICS]
    assert files(folder) and all(KEY not in path.read_text() for path in files(folder))
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.parametrize("value", [None, " ", "a b", "é", "a\nb"])
def test_a_key_that_is_none_is_one_sentence_without_it(value, folder, monkeypatch):
    if value is not None:
        monkeypatch.setenv("NAMES_KEY", value)
    with pytest.raises(
        ConfigError, match=r"names\.key: the environment variable NAMES_KEY"
    ) as error:
        namer(folder, "http://x/v1", key="NAMES_KEY")
    assert "é" not in str(error.value) and "a b" not in str(error.value)


def test_a_damaged_answer_is_asked_again(drawn, folder):
    with serve() as served:
        first = outcome(drawn, namer(folder, served.url))
        for path, text in zip(files(folder), ("", "[]", "{}", '{"prompt": 1}'), strict=False):
            path.write_text(text)
        n = len(served.asked)
        again = outcome(drawn, namer(folder, served.url))
        assert len(served.asked) == n + 4
    assert again.names.equals(first.names)


def test_calls_that_are_still_to_be_made(drawn, folder):
    """Calls are counted in full where names are not known yet, and are never less than are made."""
    subjects = [subject(f, several, None) for f, several in drawn.items()]
    cycle = donors(np.arange(4))
    with serve() as served:
        of = namer(folder, served.url)
        calls = planned(subjects, drawn, cycle, of)
        assert calls.n == 36 and calls.tokens_in > 36 * 50 and calls.cost([1.0, 0.0]) > 0
        of.name(subjects)
        assert planned(subjects, drawn, cycle, of).n == 32
        contexts = [one.context for one in drawn[0] if one.use == "detection"]
        of.judge([Case(TOPICS[0], "detection", contexts)])
        assert planned(subjects, drawn, cycle, of).n == 30


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from naming import draws, material
from saegrid.meaning.names.openai import OpenAI
from saegrid.meaning.names.run import run
from saegrid.meaning.names.chosen import donors
import numpy as np
run(draws(material()), donors(np.arange(4)), OpenAI({folder!r}, "m", {url!r}, batch=10), "openai")
"""


def test_a_run_that_is_killed_goes_on(drawn, folder):
    """Killed at its 12th question; what was answered before stays."""

    def answer(number, prompt):
        time.sleep(0.05 if number < 12 else 30)
        return good(number, prompt)

    with serve(answer) as served:
        text = KILLED.format(
            tests=str(Path(__file__).parents[1]), folder=str(folder), url=served.url
        )
        process = subprocess.Popen([sys.executable, "-c", text], start_new_session=True)
        until = time.monotonic() + 120
        while len(served.asked) < 13 and time.monotonic() < until:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kept = len(files(folder))
        assert 8 <= kept <= 12
        served.answer, n = good, len(served.asked)
        result = outcome(drawn, namer(folder, served.url))
        # A question that the killed process had sent may be read late; it is asked again anyway.
        assert len(set(served.asked[n:])) == 36 - kept
    assert result.missing == {} and result.names["name"].to_pylist() == TOPICS


TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(url, process):
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        try:
            return urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the server has not started")


@pytest.mark.slow
def test_transformers_serve_is_such_a_server(folder, tmp_path):
    """A tiny random model behind it answers, with words that are no name: that is the reason."""
    for part in ("fastapi", "uvicorn", "openai", "accelerate"):
        pytest.importorskip(part, reason=f"`transformers serve` needs {part}, not in the lock")
    model, port = tiny_llama(tmp_path / "llama", chat_template=TEMPLATE), str(free_port())
    command = [Path(sys.executable).with_name("transformers"), "serve", model, "--port", port]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*command, "--host", "127.0.0.1"], stdout=log, stderr=log)
    few = draws(material(), n=2, n_shown=4, n_scored=6)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        of = OpenAI(str(folder), model, f"http://127.0.0.1:{port}/v1", timeout=120)
        result = outcome(few, of)
    finally:
        process.terminate()
        process.wait(30)
    reasons = result.names["why"].to_pylist()
    assert all(why.startswith("the answer is no JSON with a name: ") for why in reasons), reasons
