"""The jobs of a study as its rules bind them, and the files behind each target."""

from collections.abc import Iterator

from planning import Task

from saegrid.stages.plan import Plan

CORPUS_OUTPUTS = {
    "items": ("items.parquet", "set_aside.parquet", "corpus.json"),
    "selection": ("selection.parquet", "selection.json"),
    "tokens": ("tokens.parquet", "spans.parquet", "tokens.json"),
}
TABLES = ("features.parquet", "top_tokens.parquet", "examples.parquet", "topics.parquet")


def targets_of(plan: Plan, names: tuple[str, ...]) -> list[str]:
    """The files that these targets ask for."""
    targets = {
        "all": plan.all_targets,
        "corpus": plan.corpus_targets,
        "activations": plan.activation_targets,
        "saes": plan.sae_targets,
        "cells": plan.cell_targets,
        "metrics": plan.metric_targets,
        "pages": plan.page_targets,
        "figures": plan.figure_targets,
        "layers": plan.survey_targets,
    }
    return [path for name in names or ("all",) for path in targets[name]()]


def tasks_of(plan: Plan, names: tuple[str, ...]) -> list[Task]:
    """The jobs that these targets may need: all of a study."""
    return [
        *_verification(plan),  # first: its messages name more than those of a lone cell
        *(task for name in _corpora(plan) for task in _of_corpus(plan, name)),
        *_of_saes(plan),
        *(task for cell in map(str, plan.cells) for task in _of_cell(plan, cell)),
        *_of_study(plan),
    ]


def _corpora(plan: Plan) -> list[str]:
    return list(dict.fromkeys([*plan.survey_corpora(), *plan.corpora_judged_on()]))


def _listed(paths: str | list[str]) -> list[str]:
    return [paths] if isinstance(paths, str) else list(paths)


def _verification(plan: Plan) -> Iterator[Task]:
    for output in plan.verified_files():
        spec, reads = plan.verify_spec(), plan.verified_inputs()
        inputs = [path for paths in reads.values() for path in paths]
        yield Task("verify_checkpoint", spec, [output], inputs, {*reads["model"]})


def _of_corpus(plan: Plan, name: str) -> Iterator[Task]:
    here = f"{plan.root}/{name}"
    sources, model, verified = plan.source_files(name), plan.model_files(), plan.verified_files()
    apart = {*model, *verified}
    if plan.is_streamed(name):
        inputs = [*sources, *model, *verified]
        for rule, ending in (("fill_store", ""), ("begin_store", ".begun")):
            outputs = [plan.store_facts(name, f"{site}{ending}") for site in plan.sites]
            yield Task(rule, plan.store_spec(name), outputs, inputs, {*inputs})
        return
    specs = {
        "items": (plan.items_spec(name), sources, {*sources}),
        "selection": (plan.selection_spec(name), [f"{here}/items.parquet"], set()),
        "tokens": (
            plan.tokens_spec(name),
            [f"{here}/items.parquet", *plan.tokens_selection(name)],
            set(),
        ),
    }
    for rule, files in CORPUS_OUTPUTS.items():
        spec, inputs, ancient = specs[rule]
        yield Task(rule, spec, [f"{here}/{file}" for file in files], inputs, ancient)
    for shard in plan.shards(name):
        outputs = [plan.activations(name, site, shard) for site in plan.sites]
        inputs = [f"{here}/tokens.parquet", f"{here}/spans.parquet", *apart]
        yield Task("capture", plan.capture_spec(name, shard), outputs, inputs, apart)


def _of_saes(plan: Plan) -> Iterator[Task]:
    for (site, together), cells in plan.together().items():
        activations = plan.training_activations(site, together)
        tokens = _listed(plan.training_tokens(site, together))
        ancient = {*tokens, *(activations if plan.is_settled_company(site, together) else [])}
        (output,) = plan.together_files(cells[0])
        spec = plan.together_spec(site, together)
        yield Task("train_together", spec, [output], [*activations, *tokens], ancient)
    for cell in dict.fromkeys([*map(str, plan.cells), *plan.verified_saes()]):
        settled = str(cell) in map(str, plan.cells) and plan.is_settled(cell)
        outputs = plan.sae_files(cell)
        if plan.is_trained(cell):
            inputs = [*plan.training_activations(cell), *plan.together_files(cell)]
            tokens = _listed(plan.training_tokens(cell))
            ancient = {*tokens, *(inputs if settled else [])}
            outputs = [*outputs, f"{plan.root}/saes/{cell}/history.parquet"]
            yield Task("train_sae", plan.train_spec(cell), outputs, [*inputs, *tokens], ancient)
        else:
            inputs = plan.before_import(cell)
            ancient = {*inputs} if settled else set()
            yield Task("import_sae", plan.import_spec(cell), outputs, inputs, ancient)


def _of_cell(plan: Plan, cell: str) -> Iterator[Task]:
    name, settled = plan.main, plan.is_settled(cell)
    corpus, here = f"{plan.root}/{name}", f"{plan.root}/{name}/cells/{cell}"
    sae, verified = plan.sae_files(cell), plan.verified_files(cell)
    features, tables = f"{here}/features.safetensors", [f"{here}/{file}" for file in TABLES]
    effects, model = f"{here}/logit_effects.parquet", plan.model_files()
    texts = [f"{corpus}/tokens.parquet", f"{corpus}/selection.parquet"]
    for shard in plan.shards(name):
        activations = plan.cell_activations(cell, name, shard)
        ancient = {*verified, *([activations] if settled else [])}
        output = f"{here}/features{shard}.safetensors"
        inputs = [activations, *sae, *verified]
        yield Task("encode", plan.encode_spec(cell, name, shard), [output], inputs, ancient)
    parts = plan.shard_files(cell, name)
    if parts:
        yield Task("merge", plan.merge_spec(cell, name), [features], parts)
    first, *others = tables
    yield Task("density", plan.density_spec(cell, name), [first], [features, *texts])
    spec = plan.top_tokens_spec(cell, name)
    yield Task("top_tokens", spec, others, [features, first, *texts])
    inputs = [others[0], *sae, *model]
    spec = plan.logit_effects_spec(cell, name)
    yield Task("logit_effects", spec, [effects], inputs, {*model})
    inputs = [features, *tables, effects, *texts, f"{corpus}/items.parquet"]
    yield Task("page", plan.page_spec(cell, name), [f"{here}/features.html"], inputs)
    name = plan.measured_corpus(cell)
    activations = plan.measured_activations(cell, name)
    ancient = {*model, *verified, *(activations if settled else [])}
    inputs = [*activations, *sae, *_listed(plan.tokens_file(name)), *model, *verified]
    output = plan.metrics_file(cell, name)
    yield Task("measure", plan.metrics_spec(cell, name), [output], inputs, ancient)


def _of_study(plan: Plan) -> Iterator[Task]:
    root = plan.root
    for name, site in plan.measured_sites():
        activations = plan.site_activations(name, site)
        inputs = [*activations, *plan.metrics_files(name, site), *_listed(plan.tokens_file(name))]
        ancient = {*activations} if plan.is_settled_site(name, site) else set()
        output = plan.baselines_file(name, site)
        yield Task("baselines", plan.baselines_spec(name, site), [output], inputs, ancient)
    judged = [path for path in plan.metric_targets() if "/health" in path or "/figures/" in path]
    inputs = [*plan.all_metrics(), *plan.all_baselines(), *plan.histories()]
    yield Task("health", plan.health_spec(), judged, inputs)
    rates = f"{root}/survey/base_rates.parquet"
    tables = [path for path in plan.survey_tables().values() if path != rates]
    yield Task("survey", plan.survey_spec(), tables, plan.survey_inputs())
    if plan.word_lists():
        yield Task("base_rates", plan.base_rates_spec(), [rates], plan.topics_inputs())
    known = [*plan.survey_tables().values()]
    pages = [path for path in plan.survey_targets() if path not in known]
    yield Task("survey_page", plan.survey_page_spec(), pages, known)
    summary, facts = f"{root}/summary.parquet", list(plan.facts_files().values())
    figures = [path for path in plan.figure_targets() if "/figures/" in path]
    yield Task("summary", plan.summary_spec(), [summary], plan.table_files())
    inputs = [*facts, summary, *plan.cell_files(["features.parquet"])]
    yield Task("plot", plan.plot_spec(), figures, inputs)
    inputs = [*facts, summary, *plan.figure_targets()]
    yield Task("index", plan.index_spec(), [f"{root}/index.html"], inputs)
