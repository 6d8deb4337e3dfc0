"""All that a config can get wrong is told when it is read, at once, a sentence each."""

import copy
import shutil

import pytest
import yaml

from mistaken import CHECKPOINT, REPOSITORY, TINY, changed, told
from saegrid.config.check import ConfigError, resolve
from saegrid.stages.mistakes import all_mistakes, mistakes

pytestmark = pytest.mark.usefixtures("few_headlines")


def test_the_studies_that_are_shipped_and_need_nothing_have_no_mistakes():
    for name in ("tiny", "config"):
        assert told(yaml.safe_load((REPOSITORY / f"config/{name}.yaml").read_text())) == []


HEADLINES, TEXT = {"all": "resources/toy/headlines.csv"}, {"id": "id", "text": "original"}
SWEEP = {"base": TINY["saes"]["8x"], "over": {"k": [4, 8]}}
CORPUS = "corpora__headlines__"
PAIRS = {"id": "id", "original": "original", "edit": "edit"}
RANDOM = {"kind": "random_edits", "of": "csv", "files": HEADLINES, "columns": PAIRS}
CONTROL = {"role": "control", "source": RANDOM | {"labels": {"meanGrade": "number"}}}
NAN, INF = float("nan"), float("inf")
TOPICS = "lists:resources/toy/topics.yaml"


def lexicons(*names):
    """The key of the lexicons, with these."""
    return {"concepts__lexicons": list(names)}


ONE_MISTAKE = [
    # sizes and types
    ({"corpora__headlines__shards": 1_000_000}, "corpora.headlines.shards must be at most 10,000;"),
    ({"corpora__generated__source__n": 10**12 + 1}, "corpora.generated.source.n must be at most"),
    ({"corpora__generated__source__n": 10**8}, "corpora.generated.source.n: a generated corpus"),
    ({"corpora__headlines__tokens__edited": 1}, "tokens.edited must be true or false; got 1."),
    ({"grid": [{"layers": [True], "positions": ["r"], "saes": ["8x"]}]}, "must be a whole number"),
    ({"saes__8x__expansion": "8x"}, "saes.8x.expansion must be a whole number; got '8x'."),
    ({"saes__8x__expansion": 8.0}, "saes.8x.expansion must be a whole number; got 8.0."),
    ({"saes__8x__expansion": 10**9}, "saes.8x.expansion must be at most 4,096; got 1000000000."),
    ({"corpora__headlines__filter__value": NAN}, "filter.value must be a finite number; got nan."),
    ({"metrics__hold_out": NAN}, "metrics.hold_out must be a finite number; got nan."),
    ({"hub__budget_gb": INF}, "hub.budget_gb must be a finite number; got inf."),
    ({"threads__train": 10**6}, "threads.train must be at most 1,024; got 1000000."),
    ({"memory__capture": 0}, "memory.capture must be at least 1; got 0."),
    ({"top_tokens__window": [-1, 5]}, "top_tokens.window.0 must be at least 0; got -1."),
    ({"top_tokens__window": [5]}, "top_tokens.window.1 is missing."),
    ({"top_tokens__window": 5}, "top_tokens.window must be a list; got 5."),
    ({"top_tokens__cut": 1.0}, "top_tokens.cut must be below 1; got 1.0."),
    ({"pages__cuts": []}, "pages.cuts must have more entries: at least 1; got []."),
    ({"pages__cuts": [0.1, 0.1]}, "pages.cuts: 0.1 stands twice."),
    ({"model__seed": True}, "model.seed must be a whole number; got True."),
    ({"model__revision": "main"}, "model.revision must be a commit, 40 hexadecimal digits; got"),
    (
        {"corpora__headlines__keep_space": [9150]},
        "keep_space.0 must be text; got 9150. Put it in qu",
    ),
    # names
    ({"study": "-n"}, "study must consist of letters, digits, _ and -, and not begin with -;"),
    ({"study": "x" * 101}, "study has too many letters: at most 100;"),
    (
        {"corpora__Saes": TINY["corpora"]["generated"]},
        "corpora.Saes: a corpus may not be named Saes",
    ),
    (
        {"corpora__a b": TINY["corpora"]["generated"]},
        "corpora.a b: the name must consist of letters",
    ),
    ({"modle": {}}, "modle is not a key. Did you mean 'model'?"),
    (
        {"saes__8x": {"source": "trian"}},
        "saes.8x.source must be checkpoint or dashboards or train; got 'trian'.",
    ),
    (
        {"saes__8x": {"expansion": 8}},
        "saes.8x.source is missing; expected checkpoint or dashboards or train.",
    ),
    ({"model__family": "lama"}, "model.family 'lama' is unknown. Did you mean 'llama'?"),
    ({f"{CORPUS}mask": "diff"}, "corpora.headlines.mask 'diff' is unknown."),
    ({f"{CORPUS}layout": "pakced"}, "corpora.headlines.layout 'pakced' is unknown. Did you mean"),
    ({f"{CORPUS}source__kind": "cvs"}, "corpora.headlines.source.kind 'cvs' is unknown."),
    ({"saes__8x": CHECKPOINT | {"format": "sae_lense"}}, "saes.8x.format 'sae_lense' is unknown."),
    ({"metrics__baselines": ["pac"]}, "metrics.baselines: 'pac' is unknown. Did you mean 'pca'?"),
    # recipes
    ({"saes__8x__recipe": "../../evil"}, "saes.8x: The recipe '../../evil' is unknown."),
    ({"saes__8x__settings": {"kk": 8}}, "saes.8x: The setting 'kk' of the recipe topk is unknown."),
    (
        {"saes__8x__settings": {"k": True}},
        "saes.8x: The setting k of the recipe topk must be a whole",
    ),
    ({"saes__8x__settings": {"hold_out": NAN}}, "below 1; got nan."),
    (
        {"saes__8x__settings": {"k": 600}},
        "saes.8x: The setting k of the recipe topk must be at most ",
    ),
    (
        {"overrides": {"L1A-8x": {"train": {"settings": {"stpes": 4}}}}},
        "overrides.L1A-8x.train: The setting 'stpes' of the recipe topk is unknown.",
    ),
    (
        {"overrides": {"L1A-8x": {"top_tokens": {"n": 10**9}}}},
        "overrides.L1A-8x.top_tokens.n must be at most 10,000; got 1000000000.",
    ),
    (
        {"overrides": {"L1A-8x": {"concepts": {"alpha": 0.1}}}},
        "overrides.L1A-8x.concepts is not a stage.",
    ),
    ({"concepts__permutations": 10**9}, "concepts.permutations must be at most 10,000;"),
    ({"concepts__types": 0}, "concepts.types must be at least 1; got 0."),
    ({"concepts__alpha": 1}, "concepts.alpha must be below 1; got 1."),
    (
        {"concepts__senses": "third"},
        "concepts.senses must be 'first', 'two' or 'all'; got 'third'.",
    ),
    (
        {"concepts__space": "maps"},
        "concepts.space 'maps' is unknown. Known: glove, joined, none, wordnet.",
    ),
    (
        {"sweeps": {"s": SWEEP | {"over": {"whiten": ["../x"]}}}},
        "sweeps.s: The setting whiten of the",
    ),
    (
        {
            "sweeps": {"s": SWEEP | {"over": {"whiten": ["../x", "zca"], "k": [1, 2]}}},
            "grid": ["s"],
        },
        None,
    ),
    ({"sweeps": {"s": SWEEP | {"over": {}}}}, "sweeps.s: it changes nothing."),
    ({"sweeps": {"s": SWEEP | {"rows": [{}], "over": {}}}}, "sweeps.s: it changes nothing."),
    (
        {"sweeps": {"s": SWEEP | {"over": dict.fromkeys("abcde", [1] * 99)}}},
        "it would make 9,509,900",
    ),
    (
        {"sweeps": {"s": SWEEP | {"over": {"expansion": [0]}}}},
        "sweeps.s.expansion must be at least 1",
    ),
    # placeholders and paths of checkpoints
    ({"saes__8x": CHECKPOINT | {"path": "a/{layer.__class__}"}}, "'{layer.__class__}' is no place"),
    ({"saes__8x": CHECKPOINT | {"path": "a/{layer"}}, "saes.8x.path: '{layer' is no placeholder;"),
    (
        {"saes__8x": CHECKPOINT},
        "saes.8x.path: no checkpoint of L1A-8x at here/L1A.",
    ),
    (
        {"saes__8x": CHECKPOINT | {"path": "${NO_SUCH}/x"}},
        "the environment variable NO_SUCH is not s",
    ),
    (
        {"saes__8x": CHECKPOINT | {"path": None, "repo": "a/b", "revision": {"M": "0" * 40}}},
        "saes.8x.revision: name the commit of a/b (position A) on the hub",
    ),
    (
        {"saes__8x": CHECKPOINT | {"path": "resources/toy"}},
        "cfg.json: the file is not there, which the format sae_lens reads; the folder holds",
    ),
    # the model
    (
        {"model__path": "resources/toy/modell"},
        "model.path: there is no folder resources/toy/modell. ",
    ),
    (
        {"model__path": "toy/modell"},
        "model.revision: there is no folder toy/modell, and on the hub",
    ),
    (
        {"model__path": "/dev/zero"},
        "model.path: /dev/zero must be a folder; it is a file or a device",
    ),
    ({"model__path": "${NO_SUCH}"}, "model.path: ${NO_SUCH} stands in a path, but the environment"),
    ({"model__path": "package:os/a"}, "model.path: package:os/a: os is one module and no package"),
    ({"model__tokenizer": "nowhere"}, "model.tokenizer: there is no folder nowhere. Paths are"),
    (
        {"model__tokenizer": "some/one"},
        "model.tokenizer_revision: there is no folder some/one, and",
    ),
    ({"model__tokenizer": "resources"}, "model.tokenizer: resources/tokenizer.json is not there."),
    ({f"{CORPUS}max_length": 10_000}, "corpora.headlines.max_length: the model takes rows of"),
    ({f"{CORPUS}max_length": 10**9}, "corpora.headlines.max_length must be at most 10,000,000"),
    ({f"{CORPUS}row_length": 1}, "corpora.headlines.row_length must be at least 2; got 1."),
    # the grid
    ({"grid": []}, "grid: no cell is named."),
    ({"grid": [{"layers": [], "positions": ["r"], "saes": ["8x"]}]}, "grid: it has no cell, for a"),
    (
        {"grid": [{"layers": [99], "positions": ["r"], "saes": ["8x"]}]},
        "grid: layers [99] are not in the model, which has the layers 0 to 31.",
    ),
    (
        {"grid": [{"layers": [1], "positions": ["r"], "saes": ["9x"]}]},
        "grid: SAE '9x' is not among",
    ),
    ({"grid": "ful"}, "grid: 'ful' is not among grids. Known: none."),
    # corpora
    (
        {f"{CORPUS}source__files": {}},
        "source.files: a source of kind csv needs a mapping of splits",
    ),
    ({f"{CORPUS}source__files": {"all": []}}, "source.files: a source of kind csv needs a mapping"),
    ({f"{CORPUS}source__files": {"all": "a/{x}.csv"}}, "a/{x}.csv: a path may not hold { and },"),
    ({f"{CORPUS}source__files": {"all": "/dev/zero"}}, "/dev/zero is a device or a pipe, which is"),
    ({f"{CORPUS}source__files": {"all": "resources"}}, "resources is a folder; expected a file."),
    (
        {f"{CORPUS}source__files": {"all": "resources/toy/*.csv"}},
        "* stands for names of files in st",
    ),
    (
        {f"{CORPUS}source__files": {"all": "resources/toy/headline.csv"}},
        "Did you mean 'headlines.csv'",
    ),
    ({f"{CORPUS}source__files": {"all": "a\0b"}}, "cannot be read: embedded null byte."),
    ({f"{CORPUS}source__files": {"all": "a" * 5_000}}, "cannot be read: File name too long."),
    ({f"{CORPUS}source__files": {"all": "package:saegrid.text/x"}}, "the name of a package alone"),
    ({f"{CORPUS}source__columns__id": "idd"}, "has no column 'idd', which columns.id asks for."),
    ({f"{CORPUS}source__columns__edited": "x"}, "has no column 'x', which columns.edited asks for"),
    (
        {f"{CORPUS}source__columns": {"edit": "edit"}},
        "source.columns must map `original` and `edit`",
    ),
    ({f"{CORPUS}source__labels__id": "text"}, "labels.id: the name 'id' is taken by a column of"),
    (
        {f"{CORPUS}source__labels__gone": "text"},
        "has no column 'gone', which labels.gone asks for.",
    ),
    ({f"{CORPUS}source__split_column": "splot"}, "has no column 'splot', which split_column asks"),
    ({f"{CORPUS}source__files": 5}, "source.files must be a section"),
    ({f"{CORPUS}source__files": "a.csv"}, "source.files.all: the file a.csv is not there."),
    ({f"{CORPUS}source__files": ["a.csv"]}, "source.files.all: the file a.csv is not there."),
    ({f"{CORPUS}source__delimiter": "::"}, "source.delimiter must be one character"),
    ({f"{CORPUS}source__delimiter": ";"}, "Columns there: 'id,original,edit"),
    ({f"{CORPUS}source__decimal": ";"}, "source.decimal must be '.' or ','"),
    ({f"{CORPUS}source__encoding": "utf8000"}, "source.encoding: 'utf8000' is no encoding that"),
    ({f"{CORPUS}source__encoding": "rot13"}, "source.encoding: 'rot13' is no encoding that"),
    ({f"{CORPUS}source__compression": "zip"}, "Did you mean 'gzip'?"),
    ({f"{CORPUS}source__compression": "xz"}, "headlines.csv cannot be unpacked as xz"),
    (
        {"corpora__generated__source__encoding": "utf-8"},
        "generated.source.encoding: it says how a source of kind csv or jsonl or text is written",
    ),
    ({f"{CORPUS}set_aside": 1.5}, "headlines.set_aside must be at most 1; got 1.5."),
    ({f"{CORPUS}chat": "me"}, "headlines.chat must be 'user' or 'assistant'"),
    ({f"{CORPUS}chat": "user"}, "headlines.chat: the tokenizer has no chat template"),
    ({f"{CORPUS}special_tokens": "text"}, "headlines.special_tokens must be 'plain' or 'parse'"),
    ({f"{CORPUS}filter__column": "grades"}, "filter.column: 'grades' is read as text; a filter"),
    ({f"{CORPUS}filter__column": "nope"}, "filter.column: 'nope' is no label; a filter compares"),
    ({f"{CORPUS}filter__splits": ["nope"]}, "filter.splits: the corpus has no split 'nope'."),
    ({f"{CORPUS}filter__splits": []}, "filter.splits must have more entries: at least 1; got []."),
    ({f"{CORPUS}filter__value": 99}, "filter: meanGrade ge 99 keeps none of the "),
    ({f"{CORPUS}keep_space": ["nope"]}, "keep_space: the corpus has no item with the id 'nope'."),
    (
        {f"{CORPUS}grades": {"digits": "grades", "mean": "meanGrade", "lo": 0}},
        "grades.lo is not a ke",
    ),
    (
        {f"{CORPUS}grades": {"digits": "grades", "mean": "meanGrade", "high": 1e12}},
        "grades.high must",
    ),
    (
        {f"{CORPUS}grades": {"digits": "grades", "mean": "meanGrade", "low": 3}},
        "must have low below h",
    ),
    (
        {f"{CORPUS}grades": {"digits": "meanGrade", "mean": "meanGrade"}},
        "grades.digits must name a la",
    ),
    (
        {f"{CORPUS}tokens": {"edited": False}},
        "tokens.edited: features of the main corpus are counted",
    ),
    ({"corpora__generated__tokens__context": 0}, None),
    (
        {"corpora__generated__source__grammar": None},
        "generated.source.grammar: a source of kind gene",
    ),
    (
        {"corpora__generated__source__grammar": "resources/toy/topics.yaml"},
        "words: expected an entry",
    ),
    (
        {"corpora__generated__source__grammar": "/dev/null"},
        "source.grammar: /dev/null is a device or",
    ),
    (
        {"corpora__generated__source__labels": {"x": "text"}},
        "labels.x asks for the column 'x', but",
    ),
    (
        {
            "corpora__h2": {
                "role": "holdout",
                "source": {"kind": "hub", "repo": "a/b", "revision": "0" * 40},
            }
        },
        "needs a mapping of splits to",
    ),
    (
        {"corpora__h2": {"role": "holdout", "source": {"kind": "hub", "files": {"a": "x.csv"}}}},
        "corpora.h2.source: A source of kind 'hub' needs `repo`",
    ),
    (
        {
            "corpora__h2": {
                "role": "holdout",
                "source": {"kind": "hub", "repo": "a/b", "files": {"a": "x.csv"}},
            }
        },
        "corpora.h2.source: The data set a/b needs `revision`",
    ),
    # random edits
    (
        {"corpora__c": CONTROL | {"source": RANDOM | {"of": None}}},
        "corpora.c.source.of: a source of kind random_edits needs the kind of the real edits, ",
    ),
    (
        {"corpora__c": CONTROL | {"source": RANDOM | {"of": "hub"}}},
        "corpora.c.source.of must be 'csv', 'jsonl' or 'parquet'; got 'hub'.",
    ),
    (
        {"corpora__c": CONTROL | {"source": RANDOM | {"columns": TEXT}}},
        "corpora.c.source.columns: random edits stand in the place of a marker: map `original` and",
    ),
    (
        {"corpora__c": CONTROL | {"filter": TINY["corpora"]["headlines"]["filter"]}},
        "corpora.c.filter: labels of the real edits say nothing of random ones, so that they are",
    ),
    (
        {"corpora__c": CONTROL | {"source": RANDOM | {"columns": PAIRS | {"edit": "edti"}}}},
        "has no column 'edti', which columns.edit asks for. Did you mean 'edit'?",
    ),
    (
        {"corpora__headlines__source__of": "csv"},
        "corpora.headlines.source.of: it says what a source of kind random_edits, continued or "
        "carried is made of; one of kind csv is made of nothing else. Leave it out.",
    ),
    (
        {"corpora__c": CONTROL, "saes__8x__corpus": "c"},
        "saes.8x.corpus: c has the role control, and what others are compared with is not learned",
    ),
    (
        {"saes__8x__corpus": "genrated"},
        "saes.8x.corpus must name a corpus of role train, main or reference; got",
    ),
    # what is made from cells
    (lexicons("lists:nope.yaml"), "concepts.lexicons: the file nope.yaml is not there."),
    (lexicons("lists:/dev/zero"), "concepts.lexicons: /dev/zero is a device or a pipe"),
    (lexicons("lists:${NO_SUCH}/x.yaml"), "concepts.lexicons: ${NO_SUCH} stands in a path, but"),
    (
        lexicons("wordnets"),
        "concepts.lexicons: lexicon 'wordnets' is unknown. Did you mean 'wordnet'? Known: categ",
    ),
    (
        lexicons("wordnet:mine.tsv"),
        "concepts.lexicons: lexicon 'wordnet:mine.tsv': a file is named as in lists:my/topics.ya",
    ),
    (
        lexicons("lists:resources/toy/grammar.yaml"),
        "concepts.lexicons: resources/toy/grammar.yaml: the key 'words' is unknown. Known: topics,",
    ),
    (
        lexicons(TOPICS, "wordnet", TOPICS),
        "concepts.lexicons: lexicon 'lists:resources/toy/topics.yaml': there is another one named "
        "'topics'. Name each once, or give its file another meta.name.",
    ),
    ({"survey__lists": "/dev/zero"}, "survey.lists: /dev/zero is a device or a pipe"),
    ({"survey__corpora": ["nope"]}, "survey.corpora must name one of the corpora; got 'nope'."),
    ({"verify__expected": "nope.yaml"}, "verify.expected: the file nope.yaml is not there."),
    (
        {"verify__expected": "resources/toy/topics.yaml"},
        "verify.expected: resources/toy/topics.yaml:",
    ),
    (
        {"metrics__ranks": [65]},
        "metrics.ranks: a site has 64 channels, so that a rank is at most th",
    ),
    ({"metrics__corpus": "nope"}, "metrics.corpus must name one of the corpora; got 'nope'."),
    (
        {"saes__8x__settings": {"hold_out": 0}},
        "saes.8x: with hold_out 0 no token of generated is le",
    ),
    (
        {"corpora__generated__source__n": 1},
        "corpora.generated.source.n: of 1 texts hold_out 0.1 of",
    ),
    (
        {
            "saes__8x": CHECKPOINT | {"path": None, "repo": "a/b", "revision": "0" * 40},
            "hub__cache": "${NO}",
        },
        "hub.cache: ${NO} stands",
    ),
]


@pytest.mark.parametrize(
    ("keys", "sentence"), ONE_MISTAKE, ids=[str(n) for n in range(len(ONE_MISTAKE))]
)
def test_one_sentence_for_one_mistake(keys, sentence, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    found = told(changed(**keys))
    if sentence is None:
        assert found
    else:
        assert len(found) == 1 and sentence in found[0], found


def test_random_edits_of_pairs_have_no_mistakes():
    """Their labels may stay in the config, as where one source is laid over another."""
    assert told(changed(corpora__c=CONTROL)) == []


LISTS = {
    "tpoics: {food: [pie]}": "the key 'tpoics' is unknown. Did you mean 'topics'?",
    "{topics: {food: [pie]}, weights: {}}": "the key 'weights' is unknown. Known: topics, meta",
    "topics: {}": "topics must be a mapping of topics to word lists.",
    "topics: {food: [pie], jobs: []}": "topics.jobs must be a list of words; got [].",
    "topics: {food: [pie, Ham]}": "topics.food: a word must be one lower-case word; got 'Ham'.",
    "topics: {food: [pie, pie]}": "topics.food: 'pie' stands there twice.",
    "topics: {1: [pie]}": "the topic 1 must be a text; quote it.",
    "{topics: {food: [pie]}, meta: mine}": "meta must be a mapping, as in",
    "- food": "a lexicon is a mapping, as in `topics: {food: [ham, pie]}`; got ['food'].",
    "topics: {food: [pie": "this is no YAML:",
}


@pytest.mark.parametrize("text", LISTS)
def test_own_lists_that_cannot_be_used_are_told_in_one_sentence(text, tmp_path):
    (tmp_path / "own.yaml").write_text(text)
    name = f"lists:{tmp_path}/own.yaml"
    (found,) = told(changed(**lexicons(TOPICS, "wordnet", name)), part="concepts")
    assert found.startswith(f"concepts.lexicons: {tmp_path}/own.yaml: ") and LISTS[text] in found


def test_own_lists_of_one_name_are_told(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.yaml").write_text("topics: {food: [pie]}")
    names = [f"lists:{tmp_path}/{folder}/own.yaml" for folder in ("a", "b")]
    (found,) = told(changed(**lexicons(*names)))
    assert "there is another one named 'own'" in found
    (tmp_path / "b/own.yaml").write_text("{topics: {food: [pie]}, meta: {name: other}}")
    assert told(changed(**lexicons(*names))) == []


def test_all_mistakes_are_told_at_once_and_none_that_follows_from_another(tmp_path):
    """The mistakes are in keys, names, settings, files, heads and rows."""
    study = changed(
        modle={},
        saes__8x__settings={"kk": 8, "steps": True},
        top_tokens__window=[-1, 5],
        model__tokenizer="nowhere",
        corpora__headlines__filter__column="grades",
        corpora__generated__source__grammar="nope.yaml",
        concepts__lexicons=["lists:/dev/zero"],
        verify__expected="nope.yaml",
        threads__capture=True,
        overrides={"L1A-8x": {"top_token": {}}, "L7A-8x": {"pages": {}}},
    )
    study["saes"]["4x"] = {"source": "train", "expansion": 0, "corpus": "nope"}
    study["corpora"]["figures"] = copy.deepcopy(TINY["corpora"]["generated"])
    study["grid"] += [{"layers": [99], "positions": ["q"], "saes": ["4x"]}]
    found = told(study)
    beginnings = [
        "modle is not a key.",
        "saes.4x.expansion must be at least 1; got 0.",
        "grid.1.positions.0 must be 'a', 'm', 'r', 'n', 'z', 'i', 'b' or 'h'; got 'q'.",
        "top_tokens.window.0 must be at least 0; got -1.",
        "threads.capture must be a whole number; got True.",
        "corpora.figures: a corpus may not be named figures",
        "saes.4x.corpus must name a corpus of role train, main or reference; got 'nope'.",
        "overrides.L1A-8x.top_token is not a stage. Did you mean 'top_tokens'?",
        "overrides.L7A-8x is not a cell of the grid.",
        "saes.8x: The setting 'kk' of the recipe topk is unknown.",
        "saes.8x: The setting steps of the recipe topk must be a whole number from 1 on; got True.",
        "corpora.headlines.filter.column: 'grades' is read as text",
        "corpora.generated.source.grammar: the file nope.yaml is not there.",
        "model.tokenizer: there is no folder nowhere",
        "concepts.lexicons: /dev/zero is a device or a pipe",
        "verify.expected: the file nope.yaml is not there.",
    ]
    for beginning in beginnings:
        assert any(text.startswith(beginning) for text in found), beginning
    assert len(found) == len(beginnings), found
    with pytest.raises(ConfigError) as error:
        resolve(study)
    assert str(error.value).startswith("The config has 9 mistakes:\n  ")


def test_nothing_follows_from_what_is_broken():
    """A stand-in for a value that cannot be used makes no further mistakes."""
    broken = [
        {"corpora__headlines__role": "mian"},
        {"corpora__generated__role": "trian"},
        {"saes__8x__source": "trained"},
        {"saes__8x__expansion": None},
        {"model": "resources/toy/model"},
        {"corpora__headlines": "resources/toy/headlines.csv"},
        {"corpora__headlines": {"role": "main", "source": {"files": HEADLINES, "columns": TEXT}}},
        {"corpora": []},
        {"saes": None},
        {
            "sweeps": {"s": {"over": {"k": [1]}}},
            "grid": [{"layers": [1], "positions": ["a"], "saes": ["s"]}],
        },
        {"grids": {"g": [{"layers": "all", "positions": ["r"], "saes": ["8x"]}]}, "grid": "g"},
        {"grid": [5]},
    ]
    for keys in broken:
        assert len(told(changed(**keys))) == 1, told(changed(**keys))


def test_a_config_that_is_no_study_at_all():
    for config_ in (
        {},
        {"study": None},
        {"a": 1},
        {1: 2},
        {"study": "x", "model": 5, "corpora": 5},
    ):
        _, found = all_mistakes(config_)
        assert found and all("\n" not in one.text for one in found)


def test_what_a_target_does_not_need_is_known_by_its_part(tmp_path, monkeypatch):
    """`snakemake corpus` of a study without its model works, as long as its tokenizer is there."""
    monkeypatch.delenv("LLAMA", raising=False)
    shutil.copytree(
        REPOSITORY / "resources/toy/model", "here", ignore=shutil.ignore_patterns("*.saf*")
    )
    study = changed(model__path="${LLAMA}", model__tokenizer="here", saes__8x=CHECKPOINT)
    parts = {one.part for one in all_mistakes(study)[1]}
    assert parts == {"model", "sae:8x"}
    study = changed(corpora__generated__source__grammar="nope.yaml", metrics__ranks=[999])
    assert {one.part for one in all_mistakes(study)[1]} == {"corpus:generated", "metrics"}
    study = changed(saes__8x__settings={"hold_out": 0}, metrics__all=False)
    assert {one.part for one in all_mistakes(study)[1]} == {"metrics"}
    assert mistakes(resolve(changed())) == []
