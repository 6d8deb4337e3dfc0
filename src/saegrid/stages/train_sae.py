"""The SAE of a cell, trained on captured activations or beside the filling of a store.

With whom it is trained decides nothing: `together` is in no spec of an SAE.
"""

from saegrid.base.words import Cell
from saegrid.saes.training.memory import held
from saegrid.stages.places import all_activations
from saegrid.stages.stage import (
    SAE,
    At,
    Many,
    Needs,
    One,
    Plan,
    Settings,
    Source,
    Stage,
    Weight,
    Write,
)


def activations(plan: Plan, cell: str) -> list[Source]:
    """The activations that a cell's SAE learns from: all shards, or the file that stands for a
    store to be filled beside it."""
    corpus = plan.corpora[plan.trainings.corpus(cell)]
    place = At(corpus.name, site=str(Cell.parse(cell).site))
    return [Source("begin_store.begun", place)] if corpus.begun else all_activations(plan, place)


def tokens(plan: Plan, cell: str) -> Source | None:
    """The tokens of the corpus that it learns from; none of a streamed one."""
    corpus = plan.corpora[plan.trainings.corpus(cell)]
    return corpus.tokens(At(corpus.name))


def company(plan: Plan, at: At) -> list[Source]:
    """The file that tells that the cell was trained together with others, where it is to be."""
    key = plan.trainings.company(at.cell)
    return [Source("train_together.members", At(site=key[0], together=key[1]))] if key else []


def settings(plan: Plan, at: At) -> Settings:
    """The recipe and its settings, refused where they are wrong."""
    plan.trainings.recipe(at.cell)
    captured = activations(plan, at.cell)[0]
    chosen = plan.settings(at.cell, "train").items()
    return {
        "cell": at.cell,
        "sae": {key: value for key, value in chosen if key != "together"},
        "model": plan.study.model.path,
        **plan.graph.parts(plan.graph.stages[captured.stage], captured.at.corpus),
        "threads": plan.study.threads.train,
    }


def memory(plan: Plan, cells: list[str], least: int) -> int:
    """Megabytes of a training of some cells, whose weights are all held at once, and of a filling
    beside it."""
    sizes = [(plan.model.width(Cell.parse(c).site), plan.settings(c, "train")) for c in cells]
    saes = [
        (width, width * settings["expansion"], plan.trainings.recipe(cell))
        for cell, (width, settings) in zip(cells, sizes, strict=True)
        if width
    ]
    return max(least, held(saes)) + filling(plan, cells[0])[0]


def filling(plan: Plan, cell: str) -> tuple[int, int]:
    """Megabytes and threads of a filling beside a cell's training; 0 where there is none."""
    fills = plan.trainings.fills(cell)
    return plan.study.memory.capture * fills, plan.study.threads.capture * fills


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
        memory=lambda plan, at: memory(plan, [at.cell], 4000),
        minutes=120,
        threads=lambda plan, at: plan.study.threads.train + filling(plan, at.cell)[1],
        gpu=lambda plan, at: plan.gpu() * plan.trainings.fills(at.cell),
        filling=lambda plan, at: filling(plan, at.cell),
        group="trainings",
    ),
    weighs=lambda sizes, at: Weight(write=8 * sizes.sae(at.cell).n_weights),
    only={"cell": lambda plan: plan.saes.pattern(plan.saes.trained)},
)
