"""Questions to models, and how their answers are read."""

import json
import re
from collections.abc import Sequence
from typing import Any

from saegrid.meaning.names.namer import DETECTION, Case, Context, Subject

LONGEST = 200
"""Letters of a name."""
OPEN, CLOSE = "<<", ">>"
NAMING = """\
Below are texts in which one unit of a neural network is active. The words between << and >> are \
where it is active, and the number before a text tells how strongly, from 1 to 10. Say in a few \
words what these words or texts have in common. Be specific, and do not name the marks.
"""
JUDGING = {
    True: """\
A unit of a neural network is said to be active on: {name}
In each text below some words are between << and >>. On which of these words is the unit active?
""",
    False: """\
A unit of a neural network is said to be active on: {name}
It is active somewhere in each text below. In which of them are the words between << and >> those \
on which it is active?
""",
}
NAME_IN_JSON = 'Answer with JSON alone: {"name": "..."}'
LIST = (
    "Answer with a JSON list of {n} numbers alone, one for each text in order: 1 for yes, 0 for no."
)


def marked(context: Context) -> str:
    """A text with its mark; marks that stand in it become single ones."""
    parts = context.text[: context.start], context.marked, context.text[context.stop :]
    before, inside, after = (
        " ".join(part.replace(OPEN, "<").replace(CLOSE, ">").split("\n")) for part in parts
    )
    return f"{before}{OPEN}{inside}{CLOSE}{after}"


def naming(subject: Subject) -> str:
    """The question for a name, without the form of its answer."""
    pairs = zip(subject.strength, subject.contexts, strict=True)
    lines = [f"{max(1, round(10 * strength))}: {marked(context)}" for strength, context in pairs]
    return "\n".join([NAMING, *lines, ""])


def judging(case: Case) -> str:
    """The question of whether contexts fit a name, without the form of its answer."""
    head = JUDGING[case.task == DETECTION].format(name=case.name)
    lines = [f"{i + 1}: {marked(context)}" for i, context in enumerate(case.contexts)]
    return "\n".join([head, *lines, ""])


def read_name(text: str) -> str:
    """The name in an answer `{"name": "..."}`, whatever stands around it; ValueError says what is
    wrong."""
    for body in _parts(text, r"\{[^{}]*\}"):
        if isinstance(body, dict) and isinstance(body.get("name"), str):
            return clean(body["name"])
    raise ValueError(f"the answer is no JSON with a name: {_short(text)}")


def read_list(text: str, n: int) -> list[bool]:
    """The n truth values of an answer `[1, 0]`, whatever stands around them; ValueError says what
    is wrong."""
    lists = [body for body in _parts(text, r"\[[^\[\]]*\]") if isinstance(body, list)]
    for body in lists:
        if len(body) == n and all(isinstance(v, bool | int) and v in (0, 1) for v in body):
            return [bool(value) for value in body]
    raise ValueError(f"the answer is no list of {n} numbers 0 or 1: {_short(text)}")


def clean(name: str) -> str:
    """A name as one line without control characters, at most `LONGEST` letters; ValueError where
    nothing is left. Markup stays, as text."""
    line = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    line = line.strip("\"'`").strip()
    if not line:
        raise ValueError("the name is empty")
    return line[:LONGEST]


def _parts(text: str, pattern: str) -> list[Any]:
    """The parts of a text that look like JSON and are."""
    parts = []
    for match in re.finditer(pattern, text):
        try:
            parts.append(json.loads(match[0]))
        except ValueError:
            continue
    return parts


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 60 else line[:57] + "...") if line else "it is empty"


def batches(contexts: Sequence[Context], size: int) -> list[Sequence[Context]]:
    """The contexts in lists of at most this size, in order."""
    return [contexts[i : i + size] for i in range(0, len(contexts), size)]
