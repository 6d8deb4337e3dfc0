"""Namers that ask a model: questions, answers that are kept, and what happens without an answer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, NamedTuple

from saegrid.meaning.names import prompts
from saegrid.meaning.names.answers import Answers
from saegrid.meaning.names.namer import Answer, Calls, Case, Subject

GONE = 3
"""Questions in a row that nobody answers, after which no further one is asked."""


class Unanswered(Exception):
    """A question without an answer; the text is the reason. `gone`: nobody is there to answer."""

    def __init__(self, why: str, gone: bool = False) -> None:
        super().__init__(why)
        self.gone = gone


class Question(NamedTuple):
    """A question to a model."""

    prompt: str
    read: Callable[[str], Any]
    """Function from the text of the answer to its value; ValueError says what is wrong."""
    most: int
    """Tokens of the answer, at most."""


class Asked:
    """The part that namers with a model share; `send` and the form of answers are theirs."""

    batch = 1
    at_once = 1
    """Questions at a time."""

    def __init__(self, answers: Answers) -> None:
        self.answers, self._state = answers, _State()

    def send(self, question: Question) -> str:
        """The text that the model answers; `Unanswered` where it does not."""
        raise NotImplementedError

    def naming(self, subject: Subject) -> Question:
        """The question for a name."""
        prompt = f"{prompts.naming(subject)}\n{prompts.NAME_IN_JSON}"
        return Question(prompt, prompts.read_name, 60)

    def judging(self, case: Case) -> Question:
        """The question of which contexts of a batch fit a name."""
        n = len(case.contexts)
        prompt = f"{prompts.judging(case)}\n{prompts.LIST.format(n=n)}"
        return Question(prompt, lambda text: prompts.read_list(text, n), 10 + 3 * n)

    def name(self, subjects: Sequence[Subject]) -> list[Answer]:
        """A name of each feature. Whoever was gone before is asked again."""
        self._state = _State()
        return self.ask([self.naming(subject) for subject in subjects])

    def judge(self, cases: Sequence[Case]) -> list[list[Answer]]:
        """Verdicts on the contexts of each case: True where one shows what the name says."""
        cut = [(i, part) for i, case in enumerate(cases) for part in self._batches(case)]
        answers = self.ask([self.judging(part) for _, part in cut])
        verdicts: list[list[Answer]] = [[] for _ in cases]
        for (i, part), answer in zip(cut, answers, strict=True):
            values = answer.value or [None] * len(part.contexts)
            verdicts[i] += [Answer(value, answer.why) for value in values]
        return verdicts

    def known(self, subject: Subject) -> str | None:
        """The name that was answered before."""
        return self._kept(self.naming(subject)).value

    def calls(self, subjects: Iterable[Subject], cases: Iterable[Case]) -> Calls:
        """Questions for these that are not answered yet, each once."""
        judged = (self.judging(part) for case in cases for part in self._batches(case))
        named = (self.naming(subject) for subject in subjects)
        todo = [q for q in (*named, *judged) if self._kept(q).value is None]
        return Calls(
            len(todo), sum(-(-len(q.prompt) // 4) for q in todo), sum(q.most for q in todo)
        )

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """The answers in the order of the questions; those that are kept are not asked again, and
        whatever comes is kept at once. After `GONE` questions in a row that nobody answers the
        rest is not asked."""
        todo = {q.prompt: q for q in questions if self._kept(q).value is None}
        with ThreadPoolExecutor(self.at_once) as pool:
            asked = pool.map(self._one, todo.values())
            new = dict(zip(todo, asked, strict=True))
        return [new.get(q.prompt) or self._kept(q) for q in questions]

    def _batches(self, case: Case) -> Iterator[Case]:
        for contexts in prompts.batches(case.contexts, self.batch):
            yield case._replace(contexts=contexts)

    def _kept(self, question: Question) -> Answer:
        text = self.answers.get(question.prompt)
        try:
            return Answer(None) if text is None else Answer(question.read(text))
        except ValueError as problem:
            return Answer(None, str(problem))

    def _one(self, question: Question) -> Answer:
        state = self._state
        if state.why:
            return Answer(
                None, f"not asked, since {GONE} questions before had no answer: {state.why}"
            )
        try:
            text = self.send(question)
            value = question.read(text)
        except Unanswered as problem:
            state.count(str(problem) if problem.gone else None)
            return Answer(None, str(problem))
        except ValueError as problem:
            state.count(None)
            return Answer(None, str(problem))
        state.count(None)
        self.answers.keep(question.prompt, text)
        return Answer(value)


class _State:
    """Questions in a row that nobody has answered."""

    def __init__(self) -> None:
        self.n, self.why, self._lock = 0, "", Lock()

    def count(self, why: str | None) -> None:
        """Count a question; why: nobody was there to answer, None: somebody was."""
        with self._lock:
            self.n = self.n + 1 if why else 0
            if why and self.n >= GONE:
                self.why = why
