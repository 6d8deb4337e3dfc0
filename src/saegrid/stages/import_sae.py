"""A reference to a checkpoint that stays where it is, with the norms of its decoder."""

from typing import TYPE_CHECKING, Any

from saegrid.stages.places import all_activations, reader
from saegrid.stages.stage import STUDY, At, Many, Needs, Source, Stage, Weight

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan
    from saegrid.stages.sizes import Sizes

SAE = STUDY + "saes/{cell}/"


def before(plan: "Plan", at: At) -> list[Source]:
    """The activations, before a checkpoint is fetched, so that it is encoded while it is there. A
    checkpoint on disk is imported at any time, and one that is verified before the capture."""
    if not plan.saes.from_hub(at.cell) or at.cell in plan.verified.cells:
        return []
    return all_activations(plan, At(plan.main, site=at.site))


def settings(plan: "Plan", at: At) -> dict[str, Any]:
    """The checkpoint and its content."""
    folder = plan.saes.folder(at.cell)
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    content = [[str(path.relative_to(folder)), path.stat().st_size] for path in files]
    return {
        "sae": plan.saes.checkpoint(at.cell),
        "cell": at.cell,
        "content": content if folder else None,
    }


def threads(plan: "Plan", at: At) -> int:
    """As many as an encoding where the checkpoint is fetched: an encoding that waits for its cores
    is not overtaken by fetching further cells."""
    return plan.study.threads.encode if plan.saes.from_hub(at.cell) else 1


def weighs(sizes: "Sizes", at: At) -> Weight | None:
    """Norms of the decoder's rows, which are read once; a checkpoint from the hub beside."""
    sae = sizes.sae(at.cell)
    if sae is None:
        return None
    cache = round(sizes.plan.study.hub.budget_gb * 10**9)
    fetched = cache if sizes.plan.saes.from_hub(at.cell) else 0
    return Weight(write=4 * sae.d_sae, read=sae.matrix, passing=fetched)


IMPORT_SAE = Stage(
    "import_sae",
    reads={"before": Many(before, settled=True, decides=False)},
    writes={"reference": SAE + "reference.json", "norms": SAE + "decoder_norms.safetensors"},
    settings=settings,
    code=reader,
    needs=Needs(memory=4000, minutes=60, threads=threads, hub=True, group="saes"),
    weighs=weighs,
    only={"cell": lambda plan: plan.saes.pattern(plan.verified.imported)},
)
