"""The interface of namers: contexts, questions, answers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

DETECTION, FUZZING = "detection", "fuzzing"
TASKS = (DETECTION, FUZZING)
"""Detection: which texts have a word there on which the feature fires. Fuzzing: in which of the
texts on which it fires the right word is marked."""


class Context(NamedTuple):
    """A text in which a word, or the words of an edit, are marked."""

    text: str
    start: int
    """First character of the mark."""
    stop: int
    """Character after the mark."""

    @property
    def marked(self) -> str:
        """The marked words."""
        return self.text[self.start : self.stop]


class Answer(NamedTuple):
    """An answer, or the reason why there is none."""

    value: Any
    """None where there is no answer."""
    why: str | None = None


class Subject(NamedTuple):
    """A feature that is to be named."""

    feature: int
    contexts: Sequence[Context]
    """Texts on which it fires, the strongest first; the mark is where."""
    strength: Sequence[float]
    """Activation in each, as a share of the largest."""
    concept: Mapping[str, Any] | None = None
    """Its row of concepts.parquet."""


class Case(NamedTuple):
    """Contexts that are to be judged by a name."""

    name: str
    task: str
    contexts: Sequence[Context]


class Calls(NamedTuple):
    """Questions that a model has not answered yet, and how long they are."""

    n: int = 0
    tokens_in: int = 0
    """Tokens of the prompts, taken as a quarter of their characters."""
    tokens_out: int = 0
    """Tokens of the answers, at most."""

    def __add__(self, other: object) -> "Calls":
        """Both together."""
        return Calls(*(a + b for a, b in zip(self, tuple(other), strict=True)))  # type: ignore

    def cost(self, price: Sequence[float] | None) -> float | None:
        """Price of the calls; price: of a million tokens of prompts, and of answers."""
        if price is None:
            return None
        return (self.tokens_in * price[0] + self.tokens_out * price[1]) / 1e6


class Namer(Protocol):
    """Whoever names features and judges contexts by a name."""

    batch: int
    """Contexts that it judges in one question."""

    def name(self, subjects: Sequence[Subject]) -> list[Answer]:
        """A name of each feature, a text of one line."""

    def judge(self, cases: Sequence[Case]) -> list[list[Answer]]:
        """Verdicts on the contexts of each case: True where one shows what the name says."""

    def known(self, subject: Subject) -> str | None:
        """The name that it has given before; None where it has to be asked."""

    def calls(self, subjects: Iterable[Subject], cases: Iterable[Case]) -> Calls:
        """The questions to a model that are still to be asked for these."""
