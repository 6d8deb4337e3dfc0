"""A reference to a checkpoint that stays where it is, with the norms of its decoder."""

from saegrid.stages.places import all_activations, reader
from saegrid.stages.stage import SAE, At, Many, Needs, Plan, Settings, Sizes, Source, Stage, Weight


def before(plan: Plan, at: At) -> list[Source]:
    """The activations, before a checkpoint is fetched, so that it is encoded while it is there. A
    checkpoint on disk is imported at any time, and one that is verified before the capture."""
    if not plan.saes.from_hub(at.cell) or at.cell in plan.verified.cells:
        return []
    return all_activations(plan, At(plan.main, site=at.site))


def settings(plan: Plan, at: At) -> Settings:
    """The checkpoint and its content."""
    content = plan.saes.content(at.cell)
    return {"sae": plan.saes.checkpoint(at.cell), "cell": at.cell, "content": content}


def threads(plan: Plan, at: At) -> int:
    """The number of threads: that of an encoding if the checkpoint comes from the hub, else 1.

    A smaller download would be started before an encoding that waits for its cores, and further
    cells would be fetched first.
    """
    return plan.study.threads.encode if plan.saes.from_hub(at.cell) else 1


def weighs(sizes: Sizes, at: At) -> Weight:
    """Norms of the decoder's rows, which are read once; a checkpoint from the hub beside."""
    sae, plan = sizes.sae(at.cell), sizes.plan
    fetched = plan.saes.from_hub(at.cell) * round(plan.study.hub.budget_gb * 10**9)
    return Weight(write=4 * sae.d_sae, read=sae.matrix, passing=fetched)


IMPORT_SAE = Stage(
    "import_sae",
    reads={
        "checkpoint": Many(lambda plan, at: plan.saes.files(at.cell), ancient=True, counted=False),
        "before": Many(before, settled=True, decides=False),
    },
    writes={"reference": SAE + "reference.json", "norms": SAE + "decoder_norms.safetensors"},
    settings=settings,
    code=reader,
    needs=Needs(memory=4000, minutes=60, threads=threads, hub=True, group="saes"),
    weighs=weighs,
    only={"cell": lambda plan: plan.saes.pattern(plan.verified.imported)},
)
