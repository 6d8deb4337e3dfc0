"""Inputs that many stages have, each a function of the plan and the place of a job."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from saegrid.stages.stage import NOTHING, At, Many, One, Plan, Read, Source, Write


def cells(plan: Plan) -> list[At]:
    """Each cell on the main corpus."""
    return cells_on(plan, plan.main)


def cells_on(plan: Plan, corpus: str) -> list[At]:
    """Each cell on a corpus."""
    return [At(corpus, str(cell), site=str(cell.site)) for cell in plan.cells]


def cells_on_each(plan: Plan) -> list[At]:
    """Each cell on the main corpus and on every holdout and reference corpus."""
    return [place for corpus in plan.corpora.studied for place in cells_on(plan, corpus)]


def once(plan: Plan) -> list[At]:
    """One job a study."""
    return [At()]


def on_main(output: str) -> One:
    """An output on the main corpus."""
    return One(lambda plan, at: Source(output, At(plan.main)))


def of_every_cell(output: str) -> Many:
    """An output of each cell on the main corpus."""
    return Many(lambda plan, at: [Source(output, place) for place in cells(plan)])


def of_every_shard(output: str) -> Many:
    """An output on each shard of the job's corpus."""
    return Many(
        lambda plan, at: [
            Source(output, at._replace(shard=shard)) for shard in plan.corpora[at.corpus].shards
        ]
    )


def activations(plan: Plan, at: At) -> Source:
    """The activations of the job's site, captured or in a store; ConfigError where the SAE of its
    cell cannot take them."""
    if at.cell:
        plan.trainings.check_norm(at.cell, at.corpus)
    return plan.corpora[at.corpus].activations(at)


def all_activations(plan: Plan, at: At) -> list[Source]:
    """The activations of a site on all shards of a corpus, in order."""
    corpus = plan.corpora[at.corpus]
    return [corpus.activations(at._replace(shard=shard)) for shard in corpus.shards]


def tokens(plan: Plan, at: At) -> Source | None:
    """The tokens of the job's corpus; none of a streamed one."""
    return plan.corpora[at.corpus].tokens(At(at.corpus))


def sae(plan: Plan, at: At) -> list[Source]:
    """The files of the cell's SAE, trained or imported; none where it has no weights."""
    if plan.saes.is_displayed(at.cell):
        return []
    if plan.saes.is_trained(at.cell):
        return [Source("train_sae.cfg", at), Source("train_sae.weights", at)]
    return [Source("import_sae.reference", at), Source("import_sae.norms", at)]


def sae_source(plan: Plan, at: At) -> Source:
    """The file of a cell's SAE that records its spec."""
    return sae(plan, at)[1]


def _verified(plan: Plan, at: At) -> list[Source]:
    trained = at.cell and plan.saes.is_trained(at.cell)
    return (
        [Source("verify_checkpoint.facts", At())] if plan.verified.imported and not trained else []
    )


ENCODER = Many(sae, counted=False)
"""The files of the cell's SAE."""
MODEL = Many(lambda plan, at: plan.model.files, ancient=True)
"""Files of the model; their identity is in the settings."""
VERIFIED = Many(_verified, ancient=True, decides=False)
"""Known numbers of checkpoints: waited for, unless the SAE is trained here. Of every study with
checkpoints, whether it verifies them or not: else turning that on would run all cells again."""
TOKENS = One(tokens)
"""The tokens of the job's corpus."""


def of_every_corpus(output: str) -> Many:
    """An output on each corpus on which features are described, the main one first."""
    return Many(lambda plan, at: [Source(output, At(name)) for name in plan.corpora.studied])


def tables_on(plan: Plan, corpus: str) -> Iterator[Source]:
    """Every table of every cell on a corpus, and the features of its shards.

    On another corpus than the main one these are the tables of stages that run everywhere, and of
    analyses whose jobs are named on it.
    """
    shards = ["", *filter(None, plan.corpora[corpus].shards)]
    for stage in plan.graph.present:
        if not stage.is_of_cells or stage.name == "merge":
            continue
        places = [p for p in cells_on(plan, corpus) if plan.graph.makes(stage, p.cell)]
        if corpus != plan.main and not stage.everywhere:
            ends = set(stage.ends(plan)) if stage.ends else set()
            places = [place for place in places if place in ends]
        for place in places:
            for name in stage.writes:
                for shard in shards if "shard" in stage.wildcards else [""]:
                    yield Source(f"{stage.name}.{name}", place._replace(shard=shard))


def facts_of_main() -> dict[str, Read]:
    """Files from which the numbers of the main corpus are shown."""
    return {
        "facts": on_main("items.facts"),
        "filter": on_main("selection.facts"),
        "tokens": on_main("tokens.facts"),
        "spans": on_main("tokens.spans"),
        "selection": on_main("selection.selection"),
    }


def every_site(path: str, beside: Callable[[str], list[str]] | None = None) -> Write:
    """A file for each site of the grid."""
    return Write(path, each={"site": lambda plan: plan.sites}, beside=beside)


def family_code(plan: Plan, at: At) -> list[str]:
    """Code that knows the model's architecture."""
    return plan.model.code


def reader(plan: Plan, at: At) -> list[str]:
    """Code that reads the format of the cell's SAE."""
    return [plan.saes.reader(at.cell)]


def weighed(plan: Plan) -> str:
    """Pattern of the cells whose SAE has weights."""
    return plan.saes.weighed


def layout(plan: Plan, at: At) -> dict[str, str]:
    """The layout of the texts of the job's corpus."""
    return {"layout": plan.corpora[at.corpus].settings.layout}


def sharded(plan: Plan) -> str:
    """Pattern of the corpora in shards."""
    return "|".join(plan.corpora.in_shards()) or NOTHING


def streamed(plan: Plan) -> str:
    """Pattern of the streamed corpora."""
    return "|".join(plan.corpora.streamed()) or NOTHING


def paths(plan: Plan, sources: Iterable[Source]) -> list[str]:
    """The files of some outputs."""
    return [path for source in sources for path in plan.graph.paths(source)]


def dumped(section: Any, *names: str) -> dict[str, Any]:
    """Some values of a section of the config: a change of the others runs nothing."""
    return section.model_dump(mode="json", include=set(names))


def together(plan: Plan) -> Iterator[Source]:
    """The files that tell that cells have been trained together, of all cells.

    They are at the ends of whatever comes from SAEs. Where a member has left, only the training
    together runs again and nothing goes on from it, so that it must be asked for itself.
    """
    for site, name in plan.trainings.together:
        yield Source("train_together.members", At(site=site, together=name))
