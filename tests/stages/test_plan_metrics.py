"""The tokens that cells are judged on, and reasons for their numbers to run again."""

import json
import math
import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from asking import ancient, cell_at, files, inputs, jobs_of, spec
from saegrid.base import io
from saegrid.config import ConfigError, resolve
from saegrid.models.memory import needed
from saegrid.pages.figures import HEALTH_FIGURES
from saegrid.stages import baselines, targets
from saegrid.stages.plan import Plan
from saegrid.stages.settled import is_settled
from saegrid.stages.sizes import Sizes
from saegrid.stages.stage import At

pytestmark = pytest.mark.usefixtures("beside_repository")

ROOT = Path(__file__).parents[2]
CELL, SITE = "L1R-8x", "L1R"
CORPORA = ("generated", "headlines")
TEXT = (ROOT / "config/tiny.yaml").read_text()


def plan_of(metrics=None, **changed):
    study = {**yaml.safe_load(TEXT), **changed}
    return Plan(resolve({**study, "metrics": metrics or {}}))


def at(corpus):
    """The place of the cell on a corpus."""
    return cell_at(corpus, CELL)


def judged_on(plan, corpus):
    """The activations on which the cell is judged."""
    return inputs(plan, "measure", "activations", at(corpus))


def measure_spec(plan, corpus="generated"):
    return spec(plan, "measure", at(corpus))


def baselines_spec(plan, corpus="generated"):
    return spec(plan, "baselines", At(corpus, site=SITE))


def judged_files(plan):
    """The files of a target that judge SAEs."""
    judging = [
        job
        for job in jobs_of(plan, "metrics")
        if job.stage.name in ("measure", "baselines", "health")
    ]
    return [path for job in judging for path in plan.graph.outputs(*job)]


def with_checkpoint(metrics=None):
    """The SAE of every cell is a checkpoint."""
    Path("checkpoint").mkdir()
    sae = {"source": "checkpoint", "format": "sae_lens", "path": "checkpoint"}
    return plan_of(metrics, saes={"8x": sae})


JUDGED = (
    *("health.parquet", "health.html"),
    *(f"figures/{name}.{form}" for form in ("svg", "pdf") for name in sorted(HEALTH_FIGURES)),
)


def test_a_model_that_does_not_fit_is_told_before_a_training(tmp_path):
    """The formula that the job itself goes by (`models.load.fits`)."""
    model = yaml.safe_load(TEXT)["model"]
    stored = sum(f.stat().st_size for f in Path(model["path"]).glob("*.safetensors"))
    wanted = math.ceil((1e9 + 1.1 * stored) / 1e6)
    assert wanted == math.ceil(needed(stored) / 10**6)
    small = {"memory": {"capture": wanted - 1, "encode": 1}}
    with pytest.raises(ConfigError) as error:
        judged_on(plan_of(**small), "generated")
    assert str(error.value) == (
        f"metrics.rows: cross-entropy needs the whole model, {wanted:,} MB, and may hold "
        f"{wanted - 1:,} MB. Raise memory.capture, or set metrics.rows to 0."
    )
    for plan in (
        plan_of({"rows": 0}, **small),
        plan_of(memory={"capture": wanted, "encode": 1}),
        plan_of(**small, model={**model, "device": "cuda"}),
        plan_of(**small, model={**model, "weights": "random"}),
    ):
        assert judged_on(plan, "generated")


def test_a_trained_sae_is_judged_on_texts_held_out_of_its_own_corpus():
    plan = plan_of()
    assert plan.judged.corpus(CELL) == "generated"
    assert plan.judged.split(CELL, "generated") == {"share": 0.1, "seed": 0}
    settings = yaml.safe_load(TEXT)["saes"]["8x"]
    settings["settings"] |= {"hold_out": 0.25}
    assert plan_of(saes={"8x": settings}).judged.split(CELL, "generated")["share"] == 0.25
    assert judged_files(plan) == [
        *(f"results/tiny/generated/cells/L1{p}-8x/metrics.json" for p in "AR"),
        *(f"results/tiny/generated/baselines/L1{p}.parquet" for p in "AR"),
        *(f"results/tiny/{name}" for name in JUDGED),
    ]


def test_a_checkpoint_is_judged_on_a_share_of_the_main_corpus():
    plan = with_checkpoint({"hold_out": 0.3, "seed": 7})
    assert plan.judged.corpus(CELL) == "headlines"
    assert plan.judged.split(CELL, "headlines") == {"share": 0.3, "seed": 7}


def test_all_may_be_judged_on_one_corpus():
    plan = plan_of({"corpus": "headlines"})
    assert plan.judged.corpus(CELL) == "headlines"
    assert plan.judged.split(CELL, "headlines") == {"share": 0.5, "seed": 0}
    assert (
        plan.judged.cells("headlines", SITE) == [CELL]
        and plan.judged.cells("generated", SITE) == []
    )


GENERATED = {"kind": "generated", "grammar": "resources/toy/grammar.yaml", "n": 5}
TEXTS = {"kind": "text", "files": {"a": "texts/1.txt"}}
HUB = {"kind": "hub", "repo": "r/s", "files": {"a": "data/*.csv"}, "revision": "0" * 40}


@pytest.mark.parametrize(
    ("learned", "judged", "shared"),
    [
        (GENERATED, GENERATED | {"n": 9}, "grammar.yaml with seed 0"),
        (GENERATED, GENERATED | {"seed": 1}, None),
        (TEXTS | {"files": {"a": ["texts/1.txt", "texts/2.txt"]}}, TEXTS, "texts/1.txt"),
        (TEXTS, TEXTS | {"files": {"a": "./texts/../texts/1.txt"}}, "texts/1.txt"),
        (TEXTS, TEXTS | {"files": {"a": "texts/copy.txt"}}, "texts/1.txt"),
        (TEXTS, TEXTS | {"files": {"a": "texts/2.txt"}}, None),
        (HUB, HUB | {"files": {"b": "data/1.csv"}}, "r/s: data/*.csv"),
        (HUB, HUB | {"repo": "r/t"}, None),
        (HUB, HUB | {"files": {"b": "test/1.csv"}}, None),
    ],
)
def test_texts_that_were_learned_from_are_no_held_out_ones(learned, judged, shared):
    Path("texts").mkdir()
    for name, text in (("1", "a"), ("2", "b"), ("copy", "a")):
        Path(f"texts/{name}.txt").write_text(text)
    corpora = yaml.safe_load(TEXT)["corpora"]
    corpora["generated"]["source"] = learned
    corpora["other"] = {"role": "holdout", "source": judged}
    plan = plan_of({"corpus": "other"}, corpora=corpora)
    if shared is None:
        assert judged_on(plan, "other")
        return
    words = f"'other' has texts of 'generated', from which saes.8x learns: .*{re.escape(shared)}. N"
    with pytest.raises(ConfigError, match=words):
        judged_on(plan, "other")


def test_streamed_texts_that_were_learned_from_are_no_held_out_ones():
    Path("texts").mkdir()
    Path("texts/1.txt").write_text("a")
    corpora = yaml.safe_load(TEXT)["corpora"]
    corpora["generated"] = {
        "role": "train",
        "store": {},
        "source": TEXTS | {"files": {"a": "texts/*"}},
    }
    corpora["other"] = {"role": "holdout", "source": TEXTS}
    with pytest.raises(ConfigError, match=r"texts/1\.txt"):
        judged_on(plan_of({"corpus": "other"}, corpora=corpora), "other")


@pytest.mark.parametrize(("recipe", "key"), [("topk", "k"), ("batchtopk", "k"), ("jumprelu", "l0")])
def test_more_active_features_than_there_are_are_refused_before_the_capture(recipe, key):
    saes = yaml.safe_load(TEXT)["saes"]
    saes["8x"] |= {"recipe": recipe, "settings": {key: 513}}
    with pytest.raises(ValueError, match=f"{key} of the recipe {recipe} must be at most d_sae"):
        spec(plan_of(saes=saes), "train_sae", At(cell=CELL))
    saes["8x"]["settings"] = {key: 512}
    assert spec(plan_of(saes=saes), "train_sae", At(cell=CELL))


@pytest.mark.parametrize("store", [None, {}], ids=["tables", "streamed"])
def test_a_folder_that_stands_in_for_the_hub_is_seen_to_change(store):
    Path("repo/data").mkdir(parents=True)
    Path("repo/data/1.csv").write_text("id,text\n1,a\n")
    corpora = yaml.safe_load(TEXT)["corpora"]
    columns = {"columns": {"text": "text"}}
    corpora["generated"]["source"] = HUB | {"repo": "repo"} | columns
    if store is not None:
        corpora["generated"] = {"role": "train", "store": store, **corpora["generated"]}
        del corpora["generated"]["tokens"]

    def source_spec():
        plan = plan_of(corpora=corpora)
        return spec(plan, "items" if store is None else "fill_store", At("generated"))

    before = source_spec()
    assert source_spec() == before
    Path("repo/data/2.csv").write_text("id,text\n2,b\n")
    more = source_spec()
    Path("repo/data/1.csv").write_text("id,text\n1,c\n")
    assert len({before, more, source_spec()}) == 3


def test_a_cell_that_held_nothing_out_is_refused_before_it_is_trained():
    saes = yaml.safe_load(TEXT)["saes"]
    saes["8x"]["settings"]["hold_out"] = 0
    with pytest.raises(ConfigError, match=r"saes\.8x: with hold_out 0 no token of gen"):
        judged_on(plan_of(saes=saes), "generated")
    other = plan_of({"corpus": "headlines"}, saes=saes)
    assert judged_on(other, "headlines")
    assert is_settled(plan_of(saes=saes).graph, CELL) is False, "of no concern without metrics"


def test_what_the_page_tells_of_an_sae_has_its_defaults():
    """The settings are those that the config names anywhere, so that no cell seems to have none."""
    saes = yaml.safe_load(TEXT)["saes"]
    base = saes["8x"]
    saes |= {
        "a": base | {"settings": {"k": 32}},
        "b": base | {"settings": {"lr": 0.1}},
        "c": base | {"recipe": "relu_l1", "settings": {}},
    }
    del saes["8x"]
    grid = [{"layers": [1], "positions": ["r"], "saes": ["a", "b", "c"]}]
    saes = json.loads(spec(plan_of(saes=saes, grid=grid), "health"))["saes"]
    settings = {cell: facts["settings"] for cell, facts in saes.items()}
    assert settings["L1R-a"]["k"] == settings["L1R-b"]["k"] == 32
    assert settings["L1R-b"]["lr"] == 0.1 != settings["L1R-a"]["lr"]
    assert set(settings["L1R-a"]) == {"k", "lr"} and set(settings["L1R-c"]) == {"lr"}


def test_an_estimate_counts_the_corpus_that_all_are_judged_on():
    corpora = yaml.safe_load(TEXT)["corpora"]
    source = corpora["generated"]["source"] | {"seed": 9}
    corpora["other"] = {"role": "holdout", "source": source}
    needed_jobs = {(stage, "other") for stage in ("items", "tokens", "capture", "measure")}
    described = needed_jobs - {("measure", "other")}
    for metrics, expected in (({"all": True}, needed_jobs), ({}, described)):
        plan = plan_of({"corpus": "other", **metrics}, corpora=corpora)
        assert {(job.stage.name, job.at.corpus) for job in jobs_of(plan)} & needed_jobs == expected


def streamed(metrics=None, **store):
    """The corpus that SAEs learn from is streamed."""
    Path("texts.txt").write_text("The dog runs.\n")
    corpora = yaml.safe_load(TEXT)["corpora"]
    corpora["generated"] = {
        "role": "train",
        "source": {"kind": "text", "files": {"all": "texts.txt"}},
        "store": store,
    }
    return plan_of(metrics, corpora=corpora)


def test_a_text_has_one_last_token():
    """Not one a row of it, unless the config says so."""
    cases = [({}, "rows"), ({"choice": "last"}, "truncate"), ({"choice": "mean"}, "truncate")]
    cases += [({"choice": "last", "cut": "rows"}, "rows"), ({"cut": "truncate"}, "truncate")]
    for settings, cut in cases:
        assert streamed(**settings).corpora["generated"].store["cut"] == cut, settings


def test_an_sae_of_a_streamed_corpus_is_judged_on_it():
    plan = streamed()
    assert plan.judged.corpus(CELL) == "generated"
    assert plan.judged.split(CELL, "generated") == {"share": 0.1, "seed": 0}
    facts = files(plan, "fill_store.facts", At("generated", site=SITE))
    assert judged_on(plan, "generated") == facts and len(facts) == 1
    for stage in ("measure", "baselines"):
        tokens = [inputs(plan, stage, "tokens", at(n)) for n in CORPORA]
        assert tokens == [[], "results/tiny/headlines/tokens.parquet"]
    fewer = streamed(max_tokens=5)
    assert measure_spec(plan) != measure_spec(fewer)
    assert baselines_spec(plan) != baselines_spec(fewer)


def test_a_checkpoint_may_be_judged_on_a_streamed_corpus():
    Path("checkpoint").mkdir()
    for name in ("cfg.json", "sae_weights.safetensors"):
        Path(f"checkpoint/{name}").write_text("{}")
    corpora = streamed().study.model_dump(mode="json")["corpora"]
    sae = {"source": "checkpoint", "format": "sae_lens", "path": "checkpoint"}
    plan = plan_of({"corpus": "generated", "seed": 3}, corpora=corpora, saes={"8x": sae})
    assert plan.judged.corpus(CELL) == "generated"
    assert plan.judged.split(CELL, "generated") == {"share": 0.5, "seed": 3}
    assert measure_spec(plan)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (
            {"corpus": "headline"},
            "metrics.corpus must name one of the corpora; got 'headline'. Did",
        ),
        ({"hold_out": 1.0}, "metrics.hold_out must be below 1; got 1.0."),
        ({"rowz": 1}, "metrics.rowz is not a key. Did you mean 'rows'?"),
    ],
)
def test_mistakes(metrics, message):
    with pytest.raises(ConfigError) as error:
        plan_of(metrics)
    assert message in str(error.value)


def test_an_unknown_baseline_is_named():
    with pytest.raises(ValueError) as error:
        baselines_spec(plan_of({"baselines": ["pcaa"]}))
    assert "'pcaa' is unknown. Did you mean 'pca'?" in str(error.value)


SPECS = {
    "rows": ({"rows": 5}, True, True),
    "tokens": ({"tokens": 5}, True, True),
    "seed": ({"seed": 5}, True, True),
    "fit": ({"fit": 5}, False, True),
    "ranks": ({"ranks": [5]}, False, True),
    "baselines": ({"baselines": ["pca"]}, False, True),
    "all": ({"all": True}, False, False),
    "another corpus' share": ({"hold_out": 0.2}, False, False),
}


@pytest.mark.parametrize("name", SPECS)
def test_what_runs_again(name):
    """A baseline's L0 comes from the metrics: it runs again where they do."""
    metrics, measured, described = SPECS[name]
    one, other = plan_of(), plan_of(metrics)
    assert (measure_spec(one) != measure_spec(other)) == measured
    assert (baselines_spec(one) != baselines_spec(other)) == described
    for stage, place in (("encode", at("headlines")), ("summary", At())):
        assert spec(one, stage, place) == spec(other, stage, place)


def test_the_sae_counts():
    settings = yaml.safe_load(TEXT)["saes"]["8x"]
    other = plan_of(saes={"8x": {**settings, "seed": 3}})
    assert measure_spec(plan_of()) != measure_spec(other)


def test_part_of_all_where_the_config_asks():
    every = targets.files(plan_of().graph, "all")
    assert not set(judged_files(plan_of())) & set(every)
    wanted = plan_of({"all": True})
    assert set(judged_files(wanted)) <= set(targets.files(wanted.graph, "all"))
    stages = [job.stage.name for job in jobs_of(wanted)]
    assert stages.count("measure") == stages.count("baselines") == 2
    assert "measure" not in [job.stage.name for job in jobs_of(plan_of())]
    none = plan_of({"baselines": []})
    names = [Path(path).name for path in judged_files(none)]
    assert names == ["metrics.json"] * 2 + [Path(name).name for name in JUDGED]


def test_numbers_made_with_other_settings_unsettle_a_cell():
    plan = plan_of()
    (path,) = files(plan, "measure.metrics", at("generated"))
    assert not is_settled(plan.graph, CELL, measured=True), "of a cell without files nothing is"
    io.write_json(path, {}, measure_spec(plan))
    assert is_settled(plan_of().graph, CELL, measured=True)
    io.write_json(path, {}, "{}")
    assert not is_settled(plan_of().graph, CELL, measured=True)
    # Whoever measures nothing does not look at numbers.
    assert not is_settled(plan_of().graph, CELL)


def test_a_table_of_other_settings_unsettles_its_site():
    plan, place = plan_of(), At("generated", site=SITE)
    assert baselines.is_settled(plan, place)
    (path,) = files(plan, "baselines.table", place)
    for text, settled in ((baselines_spec(plan), True), ("{}", False)):
        io.write_table(path, pa.table({}), text)
        assert baselines.is_settled(plan, place) == settled
        assert ancient(plan, "baselines", place) == ({"activations"} if settled else set())


def test_a_measurement_reads_encoder_and_decoder():
    plan = plan_of()
    sizes = Sizes(plan)
    assert plan.graph.stages["measure"].weighs(sizes, at("generated")).read == 2 * 64 * 512 * 4
