"""All that is wrong with a study, found before its first job by looking at names, heads and facts.

Nothing is captured, trained or downloaded here, no weight is read, and of a large file its head
alone. What only the numbers themselves show, such as NaN in a tensor, ends its job in one sentence.

A mistake keeps one part of a study from being made:

    config               anything
    corpus:<name>        the tables of a corpus, or its store, and what comes from it
    tokenizer            the tokens of every corpus
    tokenizer:<name>     those of one corpus
    model                activations, and what comes from them
    grid                 the same: cells that are none, layers that the model lacks
    sae:<name>           the SAEs of this name, and their cells
    cells                cells on the main corpus; not their SAEs, nor their metrics
    concepts             lexicons, and what is judged by them
    metrics, survey, verify, published
    hub                  SAEs that are fetched
"""

from collections.abc import Mapping
from typing import Any

from saegrid.config.check import Mistake, read
from saegrid.config.models import Study
from saegrid.stages.mistakes.corpora import corpora_mistakes
from saegrid.stages.mistakes.model import Facts, model_mistakes, tokenizer_mistakes
from saegrid.stages.mistakes.names import names_mistakes
from saegrid.stages.mistakes.saes import saes_mistakes
from saegrid.stages.mistakes.study import study_mistakes

__all__ = ["Mistake", "all_mistakes", "mistakes"]


def mistakes(study: Study) -> list[Mistake]:
    """The mistakes of a study that `config.resolve` takes, each once."""
    facts = Facts.of(study)
    result = [
        *names_mistakes(study),
        *corpora_mistakes(study),
        *model_mistakes(study, facts),
        *tokenizer_mistakes(study, facts),
        *saes_mistakes(study, facts),
        *study_mistakes(study, facts),
    ]
    return list(dict.fromkeys(result))


def all_mistakes(config: Mapping[str, Any]) -> tuple[Study, list[Mistake]]:
    """The study of a config, and all mistakes at once: of its keys and of what these name.

    Where there are some, the study holds stand-ins for what cannot be used, and is not to be run.
    """
    reading = read(config)
    genuine = [one for one in mistakes(reading.study) if not reading.is_broken(one.key)]
    return reading.study, [*reading.mistakes, *genuine]
