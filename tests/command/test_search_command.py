"""saegrid search: its output, its page, its help, its mistakes, and that a word needs no torch."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from saegrid.command import main
from saegrid.command.search import LOW, _print, parser, weakness
from searching import TEXTS, write_study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    write_study(folder)
    return folder


@pytest.fixture
def search(results, capsys):
    def run(*arguments, study="small", status=0):
        wanted = ["search", *arguments, "--study", study, "--results", str(results)]
        assert main(wanted) == status
        return capsys.readouterr()

    return run


def test_a_word(search):
    lines = search("dog", "--top", "3").out.splitlines()
    n = sum("dog" in text for text in TEXTS)
    assert n == 20
    assert lines[0] == f"dog  (word, {n} occurrences in the corpus, all captured)"
    assert len(lines) == 5
    assert lines[1].split() == [
        *("cell", "feature", "score", "precision", "recall", "n", "active", "specificity", "words")
    ]
    scores = [float(line.split()[2]) for line in lines[2:]]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0.2


def test_the_best_of_each_cell(search, results):
    every = search("dog", "--top", "99").out.splitlines()[2:-1]  # below them a line on words
    first = {}
    for line in every:
        first.setdefault(line.split()[0], line.split())
    head, names, *lines = search("dog", "--per-cell").out.splitlines()
    assert head.startswith("dog  (word, 20 ") and names.split()[0] == "cell"
    assert [line.split() for line in lines] == list(first.values()) and len(lines) == 2
    two = search("The dog eats", "--per-cell", "--top", "2").out.splitlines()
    assert [line.split()[0] for line in two[2:]].count("L1R-a") == 2 == len(two[2:]) / 2


def test_a_cell_where_nothing_answers_is_named(capsys):
    from saegrid.command.search import _print_silent

    _print_silent(["L0R-a", "L1R-a", "L2R-a"], [{"cell": "L1R-a"}])
    assert capsys.readouterr().out == "  no feature answers in L0R-a, L2R-a\n"
    _print_silent(["L1R-a"], [{"cell": "L1R-a"}])
    assert not capsys.readouterr().out


def test_a_word_of_which_some_was_captured():
    from saegrid.command.search import _kind
    from saegrid.interventions.search.ranking import Query

    query = Query("dog", by="word")
    some = _kind(query, [{"n": 12, "n_corpus": 1234}])
    assert some == "word, 1,234 occurrences in the corpus, 12 of them captured"
    one = _kind(query, [{"n": 1, "n_corpus": 1}])
    assert one == "word, 1 occurrence in the corpus, all captured"


def test_a_rare_word_and_a_low_score_are_warned_of():
    row = {"n": 20, "score": 0.3, "recall": 0.5}
    assert weakness("word", [row]) == ""
    assert weakness("word", [{**row, "n": 3, "recall": 1 / 3}]) == (
        "The word is rare: 3 occurrences captured, fewer than 20; the first feature fires on 1, "
        "which may be chance."
    )
    low = "The best score is low: 0.123, below 0.3; no feature fires on this word and little else."
    assert weakness("word", [{**row, "score": 0.1234}]) == low
    both = weakness("word", [{"n": 1, "score": 0.1234, "recall": 1.0}])
    assert both.startswith("The word is rare: 1 occurrence captured,") and both.endswith(low)
    assert weakness("prompt", [{**row, "n": None, "recall": None, "score": 0.1}]) == ""
    assert weakness("word", []) == ""


def test_a_warning_stands_under_the_table(search):
    """`tariff` is in 16 texts; of `dog`, 20, the best score decides."""
    lines = search("tariff", "--top", "2").out.splitlines()
    assert len(lines) == 5 and lines[4].startswith("  The word is rare: 16 occurrences captured,")
    lines = search("dog", "--top", "3").out.splitlines()
    assert len(lines) == 5 + (float(lines[2].split()[2]) < LOW)


def test_prompts_and_pairs(search):
    said = search("The dog eats", "A pizza", "--top", "2")
    assert [line for line in said.out.splitlines() if not line.startswith(" ")] == [
        *("The dog eats  (prompt)", "A pizza  (prompt)")
    ]
    assert said.err.startswith("search: 49.2 kB of encoders in 2 cells are read once")
    said = search("dog", "--without", "cat", "--top", "2")
    assert said.out.startswith("dog  (pair)  without: cat\n") and "value without" in said.out


def test_a_word_needs_neither_torch_nor_pandas(results):
    code = (
        "import sys; from saegrid.command import main; "
        f"assert main(['search', 'dog', '--study', 'small', '--results', {str(results)!r}]) == 0; "
        "print(sorted({'torch', 'pandas', 'scipy', 'transformers'} & {*sys.modules}))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


def test_the_page(search, results, tmp_path):
    page = tmp_path / "out" / "found.html"
    hostile = '<img src=x onerror=alert(1)> & "dog"'
    said = search(TEXTS[7], hostile, "--page", str(page))
    assert f"Open {page}" in said.out
    text = page.read_text()
    assert "<img src=x" not in text and "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "Token by token" in text and "special, never encoded" in text
    links = set(re.findall(r'href="([^"#]+)#\d+"', text))
    assert links
    for link in links:
        folder = (page.parent / link).resolve().parent
        assert folder.parent == results / "small/plain/cells" and folder.is_dir()
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)
    assert "The best features over all cells;" in text
    words = tmp_path / "words.html"
    search("dog", "--per-cell", "--page", str(words))
    assert "20 occurrences in the texts, all captured" in words.read_text()
    assert "The best features of each cell;" in words.read_text()
    again = tmp_path / "out" / "again.html"
    search(TEXTS[7], hostile, "--page", str(again))
    assert again.read_text() == text


def test_the_index(search):
    said = search("The dog eats", "--index", status=1)
    assert "make the index with saegrid search --index" in said.err
    assert "the index has 100.0% of the 5 largest activations" in search("--index").out
    assert search("The dog eats", "--index").out == search("The dog eats").out


def test_near_and_maximise(search):
    lines = search("--near", "L1R-a#11", "--top", "2").out.splitlines()
    assert lines[0].startswith("L1R-a 11: ") and lines[1].split()[-1] == "words"
    said = search("--maximise", "L1R-a#11").out
    assert said == search("--maximise", "L1R-a#11").out and "by gradients over 8 tokens" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give one of TEXT, --index, --near and --maximise"),
        (("dog", "--near", "L1R-a#1"), "give one of TEXT"),
        (("dog", "--top", "0"), "--top must be 1 or more; got 0"),
        (("--near", "L1R-a#1", "--per-cell"), "--per-cell is for TEXT"),
        (("unicorn",), "No text of the corpus has the word 'unicorn'"),
        (("  ", "--by", "prompt"), "The prompt '' has no token of its own"),
        (("  ", "--by", "word"), "must have a letter"),
        (("dog", "--cells", "L1R-b"), "has no cell 'L1R-b' on corpus plain"),
        (("dog", "--corpus", "other"), "has no corpus 'other'"),
        (("dog", "--index"), "--index is for prompts"),
        (("--near", "L1R-a"), "--near must name a feature as CELL#FEATURE"),
        (("--near", "L1R-a#96"), "L1R-a has the features 0 to 95; got 96"),
        (("--maximise", "L1R-a#96"), "L1R-a has the features 0 to 95; got 96"),
    ],
)
def test_a_mistake_is_one_sentence(search, arguments, sentence):
    said = search(*arguments, status=1)
    assert sentence in said.err and said.err.startswith("saegrid search: ")
    assert said.err.count("\n") == 1 and not said.out


def test_studies_that_cannot_be_searched(search, results):
    assert "There is no study 'smal'" in search("dog", study="smal", status=1).err
    (results / "empty/plain").mkdir(parents=True, exist_ok=True)
    for name in ("items", "selection"):
        path = results / "small/plain" / f"{name}.parquet"
        (results / "empty/plain" / path.name).write_bytes(path.read_bytes())
    (results / "empty/config.json").write_text('{"corpora": {"plain": {"role": "main"}}}')
    said = search("dog", study="empty", status=1).err
    assert "Study empty has no cells on corpus plain" in said and said.count("\n") == 1


def test_a_study_that_is_not_finished(search, results):
    """Four cells of the grid, of which two are there: L1R-a stands in both blocks."""
    path = results / "small/config.json"
    before = path.read_text()
    blocks = [
        {"layers": [1], "positions": ["r"], "saes": ["a", "elsewhere"]},
        {"layers": [1, 2], "positions": ["R", "a"], "saes": ["a"]},
    ]
    config = json.loads(before)
    for content in ({"grid": blocks}, {"grid": "mine", "grids": {"mine": blocks}}):
        path.write_text(json.dumps({**config, "saes": {"a": {}}, **content}))
        said = search("dog")
        assert said.err == "search: 2 of 4 cells are there; the study is not finished.\n"
        assert not search("dog", "--cells", "L1R-a").err
    path.write_text(before)
    assert not search("dog").err


def test_a_feature_without_words_is_explained(capsys):
    row = {"cell": "L1R-a", "feature": 1, "score": 0.5, "words": "dog"}
    _print([row], ("cell", "feature", "score", "words"))
    assert "no page" not in capsys.readouterr().out
    _print([row, {**row, "words": None}], ("cell", "feature", "score", "words"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[-1] == "-" and lines[3].startswith("  words -: no examples and no page")


def test_the_page_on_search_names_every_option():
    section = " ".join((ROOT / "docs/search.md").read_text().split())
    options = {
        name for a in parser()._actions for name in a.option_strings if name.startswith("--")
    }
    named = set(re.findall(r"--[a-z-]+[a-z]", section))
    assert named == options - {"--help", "--seed", "--results", "--corpus"}
    from saegrid.interventions.search.index import CANDIDATES
    from saegrid.interventions.search.known import LEAST

    assert f"{CANDIDATES} candidates" in section and f"fewer than {LEAST} tokens" in section
