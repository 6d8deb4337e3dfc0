"""A proposed config that is checked as a run checks it, and mistakes that are gathered."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from saegrid.base.errors import CheckpointError, ConfigError
from saegrid.command.proposal.models import Seen
from saegrid.command.proposal.saes import Choice, Place
from saegrid.config.check import cells
from saegrid.config.models import CheckpointSae
from saegrid.stages.mistakes import all_mistakes
from saegrid.stages.mistakes.model import model_mistakes
from saegrid.stages.mistakes.saes import checkpoint_problem
from saegrid.text.corpora.rows import CorpusError

T = TypeVar("T")
MISTAKES = (CheckpointError, ConfigError, CorpusError, OSError)
"""Errors whose text is a sentence for the one who gave the command."""


def attempt(mistakes: list[str], call: Callable[[], T]) -> T | None:
    """Call a function; None where it fails of a mistake, whose lines are added to the list."""
    try:
        return call()
    except MISTAKES as mistake:
        mistakes += [line for line in str(mistake).splitlines() if line not in mistakes]
        return None


def check(config: Mapping[str, Any], model: Seen, taken: tuple[Place, Choice] | None) -> None:
    """Check a config; nothing is fetched for it.

    Args:
        config: the config.
        model: its model.
        taken: the SAEs that it names; None: they are trained.

    Raises:
        ConfigError: with all mistakes of the config, a sentence each.
    """
    study, problems = all_mistakes(config)
    sentences = [problem.text for problem in problems]
    if not problems and model.revision is not None:
        sentences += [one.text for one in model_mistakes(study, model.facts)]
    if not problems and taken is not None:
        place, choice = taken
        by_site = {str(one.site): one for one in choice.taken}
        for cell in cells(study):
            one, section = by_site[str(cell.site)], study.saes[cell.sae]
            assert isinstance(section, CheckpointSae)
            local = section.model_copy(update={"path": str(place.local(one.listed)), "repo": None})
            _, problem = checkpoint_problem(cell.sae, local, cell, model.facts)
            sentences += [f"--sae: {problem}"] if problem else []
    if sentences:
        raise ConfigError("\n".join(dict.fromkeys(sentences)))
