"""The SAE of a cell, trained on captured activations or beside the filling of a store.

With whom it is trained decides nothing: `together` is in no spec of an SAE.
"""

from typing import TYPE_CHECKING, Any

from saegrid.base.words import Cell
from saegrid.saes.training.memory import held
from saegrid.stages.places import all_activations
from saegrid.stages.stage import STUDY, At, Many, Needs, One, Source, Stage, Weight, Write

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan
    from saegrid.stages.sizes import Sizes

SAE = STUDY + "saes/{cell}/"


def activations(plan: "Plan", cell: str) -> list[Source]:
    """The activations that a cell's SAE learns from: all shards, or the file that stands for a
    store to be filled beside it."""
    corpus = plan.corpora[plan.trainings.corpus(cell)]
    place = At(corpus.name, site=str(Cell.parse(cell).site))
    if corpus.begun:
        return [Source("begin_store.begun", place)]
    return all_activations(plan, place)


def tokens(plan: "Plan", cell: str) -> Source | None:
    """The tokens of the corpus that it learns from; none of a streamed one."""
    corpus = plan.corpora[plan.trainings.corpus(cell)]
    return corpus.tokens(At(corpus.name))


def company(plan: "Plan", at: At) -> list[Source]:
    """The file that tells that the cell was trained together with others, where it is to be."""
    key = plan.trainings.company(at.cell)
    return [Source("train_together.members", At(site=key[0], together=key[1]))] if key else []


def settings(plan: "Plan", at: At) -> dict[str, Any]:
    """The recipe and its settings."""
    plan.trainings.recipe(at.cell)  # refuses wrong settings
    chosen = plan.settings(at.cell, "train")
    captured = activations(plan, at.cell)[0]
    return {
        "cell": at.cell,
        "sae": {key: value for key, value in chosen.items() if key != "together"},
        "model": plan.study.model.path,
        **plan.graph.parts(plan.graph.stages[captured.stage], captured.at.corpus),
        "threads": plan.study.threads.train,
    }


def members_memory(plan: "Plan", members: list[str], least: int) -> int:
    """Megabytes of a training of some cells: all weights are held at once."""
    sizes = [(plan.settings(c, "train")["expansion"], plan.model.width(_site(c))) for c in members]
    known = [
        (width, expansion * width, plan.trainings.recipe(cell))
        for cell, (expansion, width) in zip(members, sizes, strict=True)
        if width
    ]
    return max(least, held(known))


def _site(cell: str) -> Any:
    return Cell.parse(cell).site


def filling(plan: "Plan", cell: str) -> tuple[int, int]:
    """Megabytes and threads of a filling beside a cell's training; 0 where there is none."""
    if not plan.trainings.fills(cell):
        return 0, 0
    return plan.study.memory.capture, plan.study.threads.capture


def gpu(plan: "Plan", cell: str) -> int:
    """The SAE needs no GPU, a filling beside it does as a capture does."""
    return plan.gpu() if plan.trainings.fills(cell) else 0


def weighs(sizes: "Sizes", at: At) -> Weight | None:
    """Encoder and decoder as float32."""
    sae = sizes.sae(at.cell)
    return None if sae is None else Weight(write=8 * sae.d_model * sae.d_sae)


TRAIN_SAE = Stage(
    "train_sae",
    reads={
        "activations": Many(lambda plan, at: activations(plan, at.cell), settled=True),
        "tokens": One(lambda plan, at: tokens(plan, at.cell), ancient=True),
        "together": Many(company, settled=True, decides=False),
    },
    writes={
        "cfg": Write(SAE + "cfg.json", records=False),
        "weights": SAE + "sae_weights.safetensors",
        "history": SAE + "history.parquet",
    },
    settings=settings,
    code=lambda plan, at: [plan.trainings.code(at.cell)],
    needs=Needs(
        memory=lambda plan, at: members_memory(plan, [at.cell], 4000) + filling(plan, at.cell)[0],
        minutes=120,
        threads=lambda plan, at: plan.study.threads.train + filling(plan, at.cell)[1],
        gpu=lambda plan, at: gpu(plan, at.cell),
        filling=lambda plan, at: filling(plan, at.cell),
        group="trainings",
    ),
    weighs=weighs,
    only={"cell": lambda plan: plan.saes.pattern(plan.saes.trained)},
)
