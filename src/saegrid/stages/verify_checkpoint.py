"""Known numbers of the checkpoints, measured before a corpus is captured and a cell is encoded."""

from collections.abc import Iterator
from typing import Any

from saegrid.base.digest import file_digest
from saegrid.base.errors import ConfigError
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Source, Stage, local_file


def saes(plan: Plan, at: At) -> Iterator[Source]:
    """The SAEs with known numbers; ConfigError where one outside the grid is missing."""
    for cell in plan.verified.cells:
        try:
            plan.saes.folder(cell)
        except ConfigError as problem:
            if cell in map(str, plan.cells):
                raise
            raise ConfigError(
                f"verify.golden: the published sentence needs the SAE of {cell}, which is not on "
                f"the grid. {problem} Get it too, or set `verify: {{golden: false}}`."
            ) from None
        yield from (Source(f"import_sae.{name}", At(cell=cell)) for name in ("reference", "norms"))


def model(plan: Plan, at: At) -> list[str]:
    """The model, where activations are needed."""
    return plan.model.files if plan.verified.norms or plan.verified.golden else []


def tokens(plan: Plan, at: At) -> list[Source]:
    """The text whose norms are measured."""
    return [Source("tokens.tokens", At(plan.main))] if plan.verified.norms else []


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The numbers, and the cells and sites to which they apply; none: nothing is verified."""
    verified = plan.verified
    if not (verified.cells or verified.norms):
        return {"expected": None}
    path = str(plan.study.verify.expected)
    return {
        "expected": path,
        "content": file_digest(local_file("verify.expected", path)),
        "golden": verified.golden,
        "decoder": verified.decoder,
        "norms": verified.norms,
        **plan.model.spec,
        "threads": plan.study.threads.capture,
    }


def code(plan: Plan, at: At) -> list[str]:
    """Code of the model's family and of the SAEs' formats."""
    if not (plan.verified.cells or plan.verified.norms):
        return []
    return [*plan.model.code, *sorted({plan.saes.reader(cell) for cell in plan.verified.cells})]


VERIFY_CHECKPOINT = Stage(
    "verify_checkpoint",
    reads={"saes": Many(saes), "model": Many(model, ancient=True), "tokens": Many(tokens)},
    writes={"facts": STUDY + "verified.json"},
    settings=settings,
    code=code,
    needs=Needs(memory="capture", minutes=60, threads="capture", gpu=True),
)
