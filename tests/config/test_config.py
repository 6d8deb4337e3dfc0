"""The config is strict, and its mistakes say how to mend them."""

import json
from pathlib import Path

import pytest
import yaml

from saegrid.base.words import Cell
from saegrid.config import ConfigError, resolve
from saegrid.config.check import cell_settings, cells
from saegrid.config.checkpoints import location, neuronpedia
from saegrid.config.models import CheckpointSae, Sweep
from saegrid.config.schema import schema_text
from saegrid.config.sweeps import members

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "config").glob("*.yaml"))
STUDIES = [path for path in CONFIGS if "study" in yaml.safe_load(path.read_text())]

SMALL = {
    "study": "t",
    "model": {"path": "somewhere"},
    "corpora": {
        "h": {"role": "main", "source": {"kind": "csv"}},
        "g": {"role": "train", "source": {"kind": "generated"}},
    },
    "saes": {"8x": {"source": "train", "expansion": 8, "corpus": "g"}},
    "grid": [{"layers": [10, 2], "positions": ["r", "a"], "saes": ["8x"]}],
}


def changed(path, value):
    """SMALL with one key set."""
    config = json.loads(json.dumps(SMALL))
    section = config
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    return config


def message(path, value):
    with pytest.raises(ValueError) as caught:
        resolve(changed(path, value))
    return str(caught.value)


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_shipped_configs_are_valid(path):
    study = resolve(yaml.safe_load(path.read_text()))
    assert cells(study)


def test_the_published_20_cells_and_all_150():
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    seed20 = [str(cell) for cell in cells(resolve({**study, "grid": "seed20"}))]
    attention = [f"L{n}A-{e}" for n in (7, 15, 16, 23, 24, 31) for e in ("8x", "32x")]
    others = [f"L{n}{p}-32x" for n in (7, 15, 23, 31) for p in "MR"]
    assert sorted(seed20) == sorted(attention + others)
    # The embedded study has a null beside them.
    assert {str(cell) for cell in cells(resolve(study))} - {*seed20} == {"L15R-frozen"}
    full = cells(resolve({**study, "grid": "full"}))
    assert len(full) == len(set(full)) == 150
    assert {cell.site.layer for cell in full} == set(range(7, 32))


def test_the_schema_file_is_in_step():
    assert (ROOT / "config/schema.json").read_text() == schema_text(), (
        "config/schema.json is not what the config models say. Mend it: python3 make.py schema"
    )


def test_cells_do_not_depend_on_order():
    other = changed(("grid",), [{"layers": [2, 10], "positions": ["a", "r"], "saes": ["8x"]}])
    assert cells(resolve(SMALL)) == cells(resolve(other))
    assert [str(c) for c in cells(resolve(SMALL))] == ["L2A-8x", "L2R-8x", "L10A-8x", "L10R-8x"]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("modle",), 1, "modle is not a key. Did you mean 'model'?"),
        (("model", "revison"), "x", "model.revison is not a key. Did you mean 'revision'?"),
        (("saes", "8x", "expnsion"), 8, "saes.8x.expnsion is not a key. Did you mean 'expansion'?"),
        (
            ("corpora", "h", "source", "knd"),
            1,
            "corpora.h.source.knd is not a key. Did you mean 'kind'?",
        ),
        (
            ("corpora", "h", "filter"),
            {"column": "g", "comparator": "gte", "value": 2},
            "corpora.h.filter.comparator must be 'ge', 'gt', 'le', 'lt', 'eq' or 'ne'; "
            "got 'gte'. Did you mean 'gt'?",
        ),
        (("grid",), "sed20", "grid: 'sed20' is not among grids."),
        (
            ("grid",),
            [{"layers": [1], "positions": ["a"], "saes": ["8"]}],
            "grid: SAE '8' is not among saes. Did you mean '8x'? Known: 8x.",
        ),
        (
            ("saes", "8x", "corpus"),
            "gg",
            "saes.8x.corpus must name a corpus of role train, main or reference; got 'gg'. Did you "
            "mean 'g'?",
        ),
        (("corpora", "g", "role"), "main", "exactly one must have the role main"),
        (
            ("overrides",),
            {"L10R-8x": {"top_tokens": {"ct": 1}}},
            "overrides.L10R-8x.top_tokens.ct is not a key. Did you mean 'cut'?",
        ),
        (("overrides",), {"L10R-8x": {"top_token": {}}}, "Did you mean 'top_tokens'?"),
        (("overrides",), {"L11R-8x": {}}, "overrides.L11R-8x is not a cell of the grid."),
    ],
)
def test_mistakes_name_key_and_mend(path, value, expected):
    assert expected in message(path, value)


def test_one_line_a_mistake():
    config = changed(("modle",), 1) | {"grd": []}
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    assert len(str(caught.value).splitlines()) == 3


def test_a_cell_overrides_its_own_settings_only():
    study = resolve(changed(("overrides",), {"L10R-8x": {"train": {"settings": {"k": 3}}}}))
    assert cell_settings(study, Cell.parse("L10R-8x"), "train")["settings"] == {"k": 3}
    assert cell_settings(study, Cell.parse("L2A-8x"), "train")["settings"] == {}


SWEEP = {
    "base": {"source": "train", "expansion": 4, "corpus": "g", "settings": {"steps": 9}},
    "over": {"k": [8, 16], "seed": [0, 1]},
    "rows": [{"lr": 1e-4}, {"lr": 0.01, "aux": 0}],
}


def swept(**changes):
    grid = [{"layers": [1], "positions": ["r"], "saes": ["8x", "s"]}]
    return resolve({**SMALL, "sweeps": {"s": {**SWEEP, **changes}}, "grid": grid})


def test_a_sweep_is_every_row_with_every_combination():
    study = swept()
    names = [name for name in study.saes if name != "8x"]
    assert len(names) == len(set(names)) == 8
    assert names[0] == "s.lr_0.0001.k_8.seed_0"
    assert names[-1] == "s.lr_0.01.aux_0.k_16.seed_1"
    one = study.saes["s.lr_0.01.aux_0.k_8.seed_1"]
    assert (one.seed, one.expansion) == (1, 4)
    assert one.settings == {"steps": 9, "lr": 0.01, "aux": 0, "k": 8}
    assert [cell.sae for cell in cells(study)] == sorted(["8x", *names])


def test_a_sweep_in_a_named_grid_and_values_that_are_no_numbers():
    block = {"layers": [1], "positions": ["r"], "saes": ["s"]}
    sweeps = {"s": {"base": SWEEP["base"], "over": {"k": [None], "recipe": ["topk"]}}}
    study = resolve({**SMALL, "sweeps": sweeps, "grids": {"all": [block]}, "grid": "all"})
    assert [str(cell) for cell in cells(study)] == ["L1R-s.k_none.recipe_topk"]


def test_the_order_of_a_sweeps_values_changes_no_sae():
    turned = {"over": {"k": [16, 8], "seed": [1, 0]}, "rows": SWEEP["rows"][::-1]}
    assert dict(swept().saes) == dict(swept(**turned).saes)


def test_mistakes_in_a_sweep_name_the_key():
    with pytest.raises(ConfigError, match=r"sweeps\.s\.ovre is not a key.*over"):
        swept(ovre={})
    with pytest.raises(ConfigError, match="expansion"):
        swept(over={"expansion": [0]})
    with pytest.raises(ConfigError, match=r"sweeps\.s\.corpus must name a corpus of role"):
        swept(over={"k": [8], "corpus": ["nope"]}, rows=[])
    for changes in (
        {"over": {"settings": [{"k": 4}, {"k": 16}]}},
        {"rows": [{"settings": {"k": 4}}]},
        {"over": {"k": [[8, 16]]}},
    ):
        with pytest.raises(ConfigError, match=r"^sweeps\.s: (settings|k) is one of its values, "):
            swept(**changes)
    with pytest.raises(ConfigError, match=r"^sweeps\.s: two SAEs would be named s\.k_8\.seed_0;"):
        swept(over={"k": [8, 8.0], "seed": [0]}, rows=[])


def test_a_sweeps_name_stands_for_its_saes_alone():
    """It would hide the SAE of that name in every grid."""
    sweeps = {"8x": SWEEP}
    with pytest.raises(ConfigError, match=r"^sweeps\.8x: 8x is the name of one of saes as well"):
        resolve({**SMALL, "sweeps": sweeps})


def test_a_resolved_sweep_can_be_resolved_again():
    study = swept()
    assert resolve(study.model_dump(mode="json")) == study


def test_a_member_is_named_as_an_sae_may_be():
    changes = {"over": {"corpus": ["gen-2"], "threshold": [-0.5]}, "rows": []}
    (name,), mistakes = members("s", Sweep(**{**SWEEP, **changes}))
    assert not mistakes
    assert name == "s.corpus_gen_2.threshold__0.5"
    assert Cell.parse(f"L1R-{name}").sae == name


def test_pairs_that_are_learned_from_are_not_packed():
    """Siblings of what is held out would stand in rows that are learned from."""
    pairs = {"kind": "csv", "columns": {"original": "o", "edit": "e"}}
    corpus = {"role": "train", "layout": "packed", "source": pairs}
    assert "corpora.g.layout: packed rows mix pairs" in message(("corpora", "g"), corpus)
    for fine in ({"layout": "headline"}, {"source": {"kind": "csv", "columns": {"text": "t"}}}):
        assert resolve(changed(("corpora", "g"), corpus | fine))
    study = changed(("corpora", "h"), corpus | {"role": "main"})
    assert resolve(study)
    study["overrides"] = {"L2R-8x": {"train": {"corpus": "h"}}}
    with pytest.raises(ConfigError, match=r"^corpora\.h\.layout: packed rows mix pairs"):
        resolve(study)


def test_a_streamed_corpus_has_no_settings_of_tables():
    """They were taken, and did nothing."""
    streamed = {"role": "train", "store": {}, "source": {"kind": "text"}}
    for key, value in (
        ("layout", "packed"),
        ("mask", "marker"),
        ("tokens", {"context": 5}),
        ("grades", {"digits": "d"}),
        ("source", {"kind": "text", "labels": {"a": "number"}}),
        ("source", {"kind": "csv", "columns": {"original": "o", "edited": "e"}}),
    ):
        assert " a streamed corpus has plain texts" in message(
            ("corpora", "g"), streamed | {key: value}
        )


def test_a_cells_own_corpus_is_checked_as_any():
    said = message(("overrides",), {"L2R-8x": {"train": {"corpus": "nope"}}})
    assert "overrides.L2R-8x.train.corpus must name a corpus of role train, main or" in said


REFUSED = {
    "holdout": ": x has the role holdout, and what is held out is not learned from. Name another",
    "control": ": x has the role control, and what others are compared with is not learned from.",
}


@pytest.mark.parametrize("role", REFUSED)
def test_saes_learn_from_no_holdout_and_no_control(role):
    unseen = SMALL["corpora"] | {"x": {"role": role, "source": {"kind": "text"}}}
    refused = REFUSED[role]
    for path, value in (
        (("saes", "8x", "corpus"), "x"),
        (("overrides",), {"L2R-8x": {"train": {"corpus": "x"}}}),
    ):
        study = changed(("corpora",), unseen)
        study |= {path[0]: changed(path, value)[path[0]]}
        with pytest.raises(ConfigError) as error:
            resolve(study)
        key = "saes.8x.corpus" if path[0] == "saes" else "overrides.L2R-8x.train.corpus"
        assert str(error.value).startswith(key + refused)
        assert len(str(error.value).splitlines()) == 1


def test_saes_learn_from_other_corpora():
    for role in ("train", "reference"):
        more = SMALL["corpora"] | {"x": {"role": role, "source": {"kind": "text"}}}
        for name in ("h", "x"):
            study = changed(("corpora",), more)
            study["saes"]["8x"]["corpus"] = name
            assert resolve(study).saes["8x"].corpus == name


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_are_ones_that_every_generator_takes(seed):
    for path in (("saes", "8x", "seed"), ("saes", "8x", "order_seed"), ("metrics",)):
        value = {"seed": seed} if path == ("metrics",) else seed
        assert "seed must be" in message(path, value)


def test_only_what_is_learnt_from_can_be_streamed():
    assert resolve(changed(("corpora", "g", "store"), {"max_tokens": 10})).corpora["g"].store
    said = message(("corpora", "h", "store"), {})
    assert "corpora.h.store: a streamed corpus has the role train" in said
    said = message(("corpora", "g", "store"), {"choise": "last"})
    assert "corpora.g.store.choise is not a key. Did you mean 'choice'?" in said


def test_values_that_come_as_texts_are_read_as_what_is_wanted():
    """Snakemake hands over what stands in braces behind `--config` as texts."""
    given = {
        "metrics": {"all": "true", "rows": "0", "hold_out": "0.25", "ranks": ["32"]},
        "top_tokens": {"n": "7", "window": ["2", "3"], "cut": "1e-3"},
        "model": {"path": "somewhere", "bos": "false", "seed": "12"},
        "concepts": {"lexicons": ["null"], "share": "0.75"},
        "overrides": {"L10R-8x": {"top_tokens": {"n": "9"}}},
    }
    study = resolve({**SMALL, **given})
    assert (study.metrics.all, study.metrics.rows, study.metrics.hold_out) == (True, 0, 0.25)
    assert study.metrics.ranks == [32] and study.concepts.lexicons == ["null"]
    assert study.concepts.share == 0.75
    assert (study.top_tokens.n, study.top_tokens.window, study.top_tokens.cut) == (7, (2, 3), 0.001)
    assert study.model.bos is False and study.model.seed == 12
    assert cell_settings(study, Cell.parse("L10R-8x"), "top_tokens")["n"] == 9
    # What is wanted as a text stays one, and what is none of what is wanted is told as it came.
    corpora = {**SMALL["corpora"], "h": {**SMALL["corpora"]["h"], "keep_space": ["7187", "true"]}}
    assert resolve({**SMALL, "corpora": corpora}).corpora["h"].keep_space == ["7187", "true"]
    for value in ("yes", "7.5", "", "nan", "1_000", "0x10"):
        said = message(("metrics",), {"rows": value})
        assert f"metrics.rows must be a whole number; got {value!r}" in said
    assert "metrics.all must be true or false; got '1'" in message(("metrics",), {"all": "1"})
    said = message(("metrics",), {"hold_out": "nan"})
    assert "metrics.hold_out must be a number; got 'nan'" in said


def test_grids_that_are_not_in_use_may_name_saes_that_are_not_there():
    """A study laid over another brings its own catalogue of SAEs, and the other's grids stay."""
    block = {"layers": [1], "positions": ["r"], "saes": ["32x"]}
    assert resolve({**SMALL, "grids": {"other": [block]}})
    with pytest.raises(ConfigError, match=r"^grids\.other: SAE '32x' is not among saes"):
        resolve({**SMALL, "grids": {"other": [block]}, "grid": "other"})


def test_names_on_neuronpedia_are_of_pages_alone():
    """A link decides about no number: the checkpoint's place is what it was without."""
    plain = {"source": "checkpoint", "format": "llama_scope", "path": "x"}
    one, other = Cell.parse("L15R-8x"), Cell.parse("L15A-8x")
    for name, expected in (
        ("m/{layer}-res", ("m/15-res", "m/15-res")),
        ({"r": "m/{layer}-res-32k"}, ("m/15-res-32k", None)),
        (None, (None, None)),
    ):
        sae = CheckpointSae(**plain, neuronpedia=name)
        assert (neuronpedia(sae, one), neuronpedia(sae, other)) == expected
        assert location(sae, one) == location(CheckpointSae(**plain), one)
    with pytest.raises(ValueError, match="neuronpedia"):
        CheckpointSae(**plain, neuronpedia="https://elsewhere/m/x")
