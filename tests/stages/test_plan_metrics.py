"""Which tokens cells are judged on, and what makes their numbers run again."""

import json
import math
import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from saegrid.stages.plan.costs import Costs, Job
from saegrid.stages.plan.forecast import jobs_of

from saegrid.base import io
from saegrid.config import ConfigError, resolve
from saegrid.pages.figures import HEALTH_FIGURES
from saegrid.stages import estimate
from saegrid.stages.estimate import Sae, Weights
from saegrid.stages.plan import Plan

pytestmark = pytest.mark.usefixtures("beside_repository")

ROOT = Path(__file__).parents[2]
CELL, SITE = "L1R-8x", "L1R"
TEXT = (ROOT / "config/tiny.yaml").read_text()


def plan_of(metrics=None, **changed):
    study = {**yaml.safe_load(TEXT), **changed}
    return Plan(resolve({**study, "metrics": metrics or {}}))


def with_checkpoint(metrics=None):
    """The SAE of every cell is a checkpoint."""
    Path("checkpoint").mkdir()
    sae = {"source": "checkpoint", "format": "sae_lens", "path": "checkpoint"}
    return plan_of(metrics, saes={"8x": sae})


JUDGED = ("health.parquet", "health.html", *(f"figures/{n}.svg" for n in sorted(HEALTH_FIGURES)))


def test_a_model_that_does_not_fit_is_told_before_a_training(tmp_path):
    """The formula that the job itself goes by (`models.load.fits`)."""
    model = yaml.safe_load(TEXT)["model"]
    stored = sum(f.stat().st_size for f in Path(model["path"]).glob("*.safetensors"))
    needed = math.ceil((1e9 + 1.1 * stored) / 1e6)
    small = {"memory": {"capture": needed - 1, "encode": 1}}
    with pytest.raises(ConfigError) as error:
        plan_of(**small).measured_activations(CELL, "generated")
    assert str(error.value) == (
        f"metrics.rows: cross-entropy needs the whole model, {needed:,} MB, and may hold "
        f"{needed - 1:,} MB. Raise memory.capture, or set metrics.rows to 0."
    )
    for plan in (
        plan_of({"rows": 0}, **small),
        plan_of(memory={"capture": needed, "encode": 1}),
        plan_of(**small, model={**model, "device": "cuda"}),
        plan_of(**small, model={**model, "weights": "random"}),
    ):
        assert plan.measured_activations(CELL, "generated")


def test_a_trained_sae_is_judged_on_texts_held_out_of_its_own_corpus():
    plan = plan_of()
    assert plan.measured_corpus(CELL) == "generated"
    assert plan.split(CELL, "generated") == {"share": 0.1, "seed": 0}
    settings = yaml.safe_load(TEXT)["saes"]["8x"]
    settings["settings"] |= {"hold_out": 0.25}
    assert plan_of(saes={"8x": settings}).split(CELL, "generated")["share"] == 0.25
    assert plan.metric_targets() == [
        *(f"results/tiny/generated/cells/L1{p}-8x/metrics.json" for p in "AR"),
        *(f"results/tiny/generated/baselines/L1{p}.parquet" for p in "AR"),
        *(f"results/tiny/{name}" for name in JUDGED),
    ]


def test_a_checkpoint_is_judged_on_a_share_of_the_main_corpus():
    plan = with_checkpoint({"hold_out": 0.3, "seed": 7})
    assert plan.measured_corpus(CELL) == "headlines"
    assert plan.split(CELL, "headlines") == {"share": 0.3, "seed": 7}


def test_all_may_be_judged_on_one_corpus():
    plan = plan_of({"corpus": "headlines"})
    assert plan.measured_corpus(CELL) == "headlines"
    assert plan.split(CELL, "headlines") == {"share": 0.5, "seed": 0}
    assert plan.measured("headlines", SITE) == [CELL] and plan.measured("generated", SITE) == []


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
        assert plan.measured_activations(CELL, "other")
        return
    words = f"'other' has texts of 'generated', from which saes.8x learns: .*{re.escape(shared)}. N"
    with pytest.raises(ConfigError, match=words):
        plan.measured_activations(CELL, "other")


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
        plan_of({"corpus": "other"}, corpora=corpora).measured_activations(CELL, "other")


@pytest.mark.parametrize(("recipe", "key"), [("topk", "k"), ("batchtopk", "k"), ("jumprelu", "l0")])
def test_more_active_features_than_there_are_are_refused_before_the_capture(recipe, key):
    saes = yaml.safe_load(TEXT)["saes"]
    saes["8x"] |= {"recipe": recipe, "settings": {key: 513}}
    with pytest.raises(ValueError, match=f"{key} of the recipe {recipe} must be at most d_sae"):
        plan_of(saes=saes).train_spec(CELL)
    saes["8x"]["settings"] = {key: 512}
    assert plan_of(saes=saes).train_spec(CELL)


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

    def spec():
        plan = plan_of(corpora=corpora)
        return plan.items_spec("generated") if store is None else plan.store_spec("generated")

    before = spec()
    assert spec() == before
    Path("repo/data/2.csv").write_text("id,text\n2,b\n")
    more = spec()
    Path("repo/data/1.csv").write_text("id,text\n1,c\n")
    assert len({before, more, spec()}) == 3


def test_a_cell_that_held_nothing_out_is_refused_before_it_is_trained():
    saes = yaml.safe_load(TEXT)["saes"]
    saes["8x"]["settings"]["hold_out"] = 0
    with pytest.raises(ConfigError, match=r"saes\.8x: with hold_out 0 no token of gen"):
        plan_of(saes=saes).measured_activations(CELL, "generated")
    other = plan_of({"corpus": "headlines"}, saes=saes)
    assert other.measured_activations(CELL, "headlines")
    assert plan_of(saes=saes).is_settled(CELL) is False, "of no concern without metrics"


def test_what_the_page_tells_of_an_sae_has_its_defaults():
    """Of settings that the config names anywhere, so that no cell seems to have none."""
    saes = yaml.safe_load(TEXT)["saes"]
    base = saes["8x"]
    saes |= {
        "a": base | {"settings": {"k": 32}},
        "b": base | {"settings": {"lr": 0.1}},
        "c": base | {"recipe": "relu_l1", "settings": {}},
    }
    del saes["8x"]
    grid = [{"layers": [1], "positions": ["r"], "saes": ["a", "b", "c"]}]
    told = json.loads(plan_of(saes=saes, grid=grid).health_spec())["saes"]
    found = {cell: facts["settings"] for cell, facts in told.items()}
    assert found["L1R-a"]["k"] == found["L1R-b"]["k"] == 32
    assert found["L1R-b"]["lr"] == 0.1 != found["L1R-a"]["lr"]
    assert set(found["L1R-a"]) == {"k", "lr"} and set(found["L1R-c"]) == {"lr"}


def test_an_estimate_counts_the_corpus_that_all_are_judged_on():
    corpora = yaml.safe_load(TEXT)["corpora"]
    source = corpora["generated"]["source"] | {"seed": 9}
    corpora["other"] = {"role": "holdout", "source": source}
    for metrics, found in (({"all": True}, True), ({}, False)):
        plan = plan_of({"corpus": "other", **metrics}, corpora=corpora)
        there = {(job.rule, job.corpus) for job, *_ in jobs_of(plan)}
        needed = {(rule, "other") for rule in ("items", "selection", "tokens", "capture")}
        assert (needed <= there) == found and bool(needed & there) == found


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
    for told, cut in cases:
        assert streamed(**told).store_settings("generated")["cut"] == cut, told


def test_an_sae_of_a_streamed_corpus_is_judged_on_it():
    plan = streamed()
    assert plan.measured_corpus(CELL) == "generated"
    assert plan.split(CELL, "generated") == {"share": 0.1, "seed": 0}
    facts = plan.store_facts("generated", SITE)
    assert plan.measured_activations(CELL, "generated") == [facts]
    assert plan.tokens_file("generated") == []
    assert plan.tokens_file("headlines") == "results/tiny/headlines/tokens.parquet"
    for spec in (plan.metrics_spec(CELL, "generated"), plan.baselines_spec("generated", SITE)):
        assert spec not in (
            streamed(max_tokens=5).metrics_spec(CELL, "generated"),
            streamed(max_tokens=5).baselines_spec("generated", SITE),
        )


def test_a_checkpoint_may_be_judged_on_a_streamed_corpus():
    Path("checkpoint").mkdir()
    corpora = streamed().study.model_dump(mode="json")["corpora"]
    sae = {"source": "checkpoint", "format": "sae_lens", "path": "checkpoint"}
    plan = plan_of({"corpus": "generated", "seed": 3}, corpora=corpora, saes={"8x": sae})
    assert plan.measured_corpus(CELL) == "generated"
    assert plan.split(CELL, "generated") == {"share": 0.5, "seed": 3}
    assert plan.metrics_spec(CELL, "generated")


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (
            {"corpus": "headline"},
            "metrics.corpus must name one of the corpora; got 'headline'. Did",
        ),
        ({"hold_out": 1.0}, "metrics.hold_out must be below 1"),
        ({"rowz": 1}, "metrics.rowz is not a key. Did you mean 'rows'?"),
    ],
)
def test_mistakes(metrics, message):
    with pytest.raises(ConfigError) as error:
        plan_of(metrics)
    assert message in str(error.value)


def test_an_unknown_baseline_is_named():
    with pytest.raises(ValueError) as error:
        plan_of({"baselines": ["pcaa"]}).baselines_spec("generated", SITE)
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
    assert (
        one.metrics_spec(CELL, "generated") != other.metrics_spec(CELL, "generated")
    ) == measured
    assert (
        one.baselines_spec("generated", SITE) != other.baselines_spec("generated", SITE)
    ) == described
    assert one.encode_spec(CELL, "headlines") == other.encode_spec(CELL, "headlines")
    assert one.summary_spec() == other.summary_spec()


def test_the_sae_counts():
    settings = yaml.safe_load(TEXT)["saes"]["8x"]
    other = plan_of(saes={"8x": {**settings, "seed": 3}})
    assert plan_of().metrics_spec(CELL, "generated") != other.metrics_spec(CELL, "generated")


def test_part_of_all_where_the_config_asks():
    assert not set(plan_of().metric_targets()) & set(plan_of().all_targets())
    asked = plan_of({"all": True})
    assert set(asked.metric_targets()) <= set(asked.all_targets())
    rules = [job.rule for job, *_ in jobs_of(asked)]
    assert rules.count("measure") == rules.count("baselines") == 2
    assert "measure" not in [job.rule for job, *_ in jobs_of(plan_of())]
    none = plan_of({"baselines": []})
    names = [Path(path).name for path in none.metric_targets()]
    assert names == ["metrics.json"] * 2 + [Path(name).name for name in JUDGED]


def test_numbers_made_with_other_settings_unsettle_a_cell():
    plan = plan_of()
    path = plan.metrics_file(CELL, "generated")
    assert not plan.is_settled(CELL), "of a cell without files nothing is"
    io.write_json(path, {}, plan.metrics_spec(CELL, "generated"))
    assert plan_of().is_settled(CELL)
    io.write_json(path, {}, "{}")
    assert not plan_of().is_settled(CELL)


def test_a_table_of_other_settings_unsettles_its_site():
    plan = plan_of()
    assert plan.is_settled_site("generated", SITE)
    path = plan.baselines_file("generated", SITE)
    io.write_table(path, pa.table({}), plan.baselines_spec("generated", SITE))
    assert plan.is_settled_site("generated", SITE)
    io.write_table(path, pa.table({}), "{}")
    assert not plan.is_settled_site("generated", SITE)


# --- estimates -----------------------------------------------------------------------------------


def test_costs_of_the_jobs():
    plan = plan_of({"rows": 0})
    found = Costs(plan).of(Job("measure", CELL, "generated"))
    n = Costs(plan).text("generated").captured
    d, m, k = 64, 512, 8
    pairs = m**2 // 2 * d
    assert found.float32 == round(n * 0.1) * (d * m + 2 * k * d) + 2 * pairs
    assert found.model == 0 and found.torch
    more = Costs(plan_of({"rows": 10})).of(Job("measure", CELL, "generated"))
    assert more.model > 0
    few = Costs(plan_of({"rows": 0, "tokens": 10})).of(Job("measure", CELL, "generated"))
    assert few.float32 < found.float32 and few.read == found.read
    site = Costs(plan).of(Job("baselines", SITE, "generated"))
    assert site.float32 > 0 and site.memory > estimate.NUMPY and not site.torch


def test_of_a_store_no_more_is_read_than_is_looked_at():
    plan = streamed({"rows": 0, "tokens": 10})
    costs = Costs(plan)
    costs.texts["generated"] = costs.text("generated")._replace(captured=10**9)
    found = costs.of(Job("measure", CELL, "generated"))
    x = (10 + estimate.LEARNED) * 64 * 4
    assert x < found.read < x + 10**7


def test_the_formulas_at_the_size_of_llama_scope():
    """131,072 features of 4,096: a dictionary is 2.1 GB, its pairs are 35 T multiplications."""
    small = Weights(1000, 1000, 2, 4096, 2, 10_000)
    cost = estimate.measure(Sae(4096, 131072, 2, 50), 50_000, 60_000, small, 1000)
    assert 2.1e9 < cost.memory - estimate.TORCH < 4e9
    assert cost.float32 == pytest.approx(50_000 * 4096 * 131072 + 131072**2 * 4096, rel=0.01)
