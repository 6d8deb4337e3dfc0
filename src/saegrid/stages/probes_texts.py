"""Classifiers of the texts alone, by words and their frequency: what those of SAEs are to beat."""

from typing import Any

from saegrid.stages.places import family_code
from saegrid.stages.probes import asked, code, corpora, of_each, section, settings_of
from saegrid.stages.stage import CORPUS, At, Many, Needs, Plan, Stage


def has_vectors(plan: Plan) -> bool:
    """True if the model's embeddings are asked for."""
    return "word_vectors" in section(plan).representations


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The grades, and the model where its embeddings are asked for."""
    grades = plan.study.corpora[plan.main].grades
    model = plan.model.spec if has_vectors(plan) else {}
    return {
        **settings_of(plan),
        "grades": {"mean": grades.mean, "digits": grades.digits} if grades else None,
        "vectors": has_vectors(plan),
        **model,
    }


PROBES_TEXTS = Stage(
    "probes_texts",
    reads={
        **asked(),
        "nuisances": of_each("nuisances.table"),
        "model": Many(lambda plan, at: plan.model.files if has_vectors(plan) else [], ancient=True),
    },
    writes={
        "facts": CORPUS + "probes/texts.json",
        "summary": CORPUS + "probes/texts.parquet",
        "folds": CORPUS + "probes/texts-folds.parquet",
        "tensors": CORPUS + "probes/texts.safetensors",
    },
    settings=settings,
    code=lambda plan, at: [*code(plan, at), *(family_code(plan, at) if has_vectors(plan) else [])],
    part_of="probes",
    needs=Needs(memory=4000, minutes=60, group="study"),
)

__all__ = ["PROBES_TEXTS", "corpora"]
