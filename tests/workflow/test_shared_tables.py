"""A study's tables in one zip, and the notebook, over a finished study."""

import ast
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from finished import finished

from saegrid.command import main
from saegrid.command.sharing.kinds import kind_of, said_of, short
from saegrid.command.sharing.sheet import missing_of, sheet
from saegrid.command.sharing.tables import metric_definitions, tables_of

NOTES = "see the notes"
NOTEBOOK = Path(__file__).parents[2] / "docs/study.ipynb"
pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def tiny():
    return finished("tiny")


def share(work, out, *options):
    return main(
        [
            "tables",
            "--study",
            "tiny",
            "--results",
            str(work / "results"),
            "--out",
            str(out),
            *options,
        ]
    )


@pytest.fixture(scope="module")
def packed(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("zip") / "tiny.zip"
    assert share(tiny, out) == 0
    return out


def contents(path):
    with zipfile.ZipFile(path) as file:
        return {name.partition("/")[2]: file.read(name) for name in file.namelist()}


def test_all_tables_as_they_are_with_their_digests(tiny, packed):
    files, folder = contents(packed), tiny / "results/tiny"
    tables = [p.relative_to(folder).as_posix() for p in folder.rglob("*.parquet")]
    assert set(files) == {*tables, "README.md", "config.json", "SHA256SUMS"} and len(tables) > 30
    for name in tables:
        assert files[name] == (folder / name).read_bytes()
    sums = dict(line.split("  ")[::-1] for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_the_sheet_says_every_table_and_column(tiny, packed):
    sheet = contents(packed)["README.md"].decode()
    for table in tables_of(tiny / "results/tiny"):
        kind = kind_of(table.path, table.spec)
        assert f"### `{kind.pattern}`" in sheet and kind.words in sheet
        section = sheet.partition(f"### `{kind.pattern}`")[2].partition("\n### ")[0]
        for field in table.schema:
            line = section.partition(f"| `{field.name}` | ")[2].partition("\n")[0]
            form, unit, words = line.removesuffix(" |").split(" | ")
            assert form and unit and words, f"{table.path} {field.name}"


@pytest.mark.parametrize("name", ["tiny", "tested", "plain"])
def test_every_column_of_a_finished_study_has_words(name):
    assert_all_have_words(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["compared", "readout", "together"])
def test_every_column_of_more_studies_has_words(name):
    assert_all_have_words(name)


def assert_all_have_words(name):
    """All columns of all tables of a study have a unit and words."""
    (folder,) = (p for p in (finished(name) / "results").iterdir() if p.is_dir())
    metrics, labels = metric_definitions(folder), labels_of(folder)
    unknown = set()
    for table in tables_of(folder):
        kind = kind_of(table.path, table.spec)
        assert kind.stage, f"{table.path}: no stage makes it"
        own = {*metrics, *(labels if short(kind.pattern) == "items" else ())}
        for field in table.schema:
            said = said_of(field.name, kind)
            if field.name not in own and (said is None or not said.unit or said.words == NOTES):
                unknown.add(f"{short(kind.pattern)}: {field.name}")
    assert unknown == set(), "say them in command/sharing/own.py or a module beside it"


def labels_of(folder):
    """The names of labels of the texts of a study."""
    config = json.loads((folder / "config.json").read_text())
    sources = [corpus["source"] for corpus in config["corpora"].values()]
    return {name for source in sources for name in source.get("labels") or {}}


def test_the_sheet_says_where_it_is_from(tiny, packed):
    sheet = contents(packed)["README.md"].decode()
    config = json.loads((tiny / "results/tiny/config.json").read_text())
    table = pq.read_schema(tiny / "results/tiny/headlines/items.parquet")
    content = json.loads(table.metadata[b"saegrid_spec"])["content"][0]
    assert f'files {{"all": "resources/toy/headlines.csv"}}; digest {content}' in sheet
    assert "- model: path resources/toy/model; digest " in sheet
    assert "digest not recorded" not in sheet.partition("corpus generated")[0]
    assert f"numpy {config['versions']['numpy']}" in sheet
    assert "Not said: name one before you pass the tables on, with --licence, or as" in sheet


def test_the_licences_of_the_config_and_of_the_command(tiny):
    folder = tiny / "results/tiny"
    config, tables = json.loads((folder / "config.json").read_text()), tables_of(folder)
    licensed = {
        **config,
        "licence": "CC BY 4.0",
        "corpora": {**config["corpora"], "headlines": {
            **config["corpora"]["headlines"], "licence": "CC0"}},
    }  # fmt: skip
    text = sheet(licensed, tables)
    said = text.partition("## Licence")[2].partition("## ")[0]
    assert (
        said.strip().startswith("CC BY 4.0. Texts, labels") and "- texts of headlines: CC0" in said
    )
    over = sheet(licensed, tables, licence="MIT").partition("## Licence")[2]
    assert over.strip().startswith("MIT. Texts") and "CC BY" not in over
    digests = {re.search("settings: digest ([0-9a-f]+)", one)[1] for one in
               (text, sheet(config, tables))}  # fmt: skip
    assert len(digests) == 1, "it decides no result"


def line_of(sheet, table, column):
    section = sheet.partition(f"### `{table}`")[2].partition("\n### ")[0]
    return section.partition(f"| `{column}` | ")[2].partition("\n")[0]


def test_a_name_is_said_as_its_table_means_it(packed):
    """The same name in two tables; the stage is the one that made the table here."""
    sheet = contents(packed)["README.md"].decode()
    made = sheet.partition("/features.parquet`")[2].partition("|")[0]
    assert "Made by the stage `density`" in made and "import_dashboards" not in made
    cells = "{corpus}/cells/{cell}"
    assert "from q1" not in line_of(sheet, "{corpus}/tokens.parquet", "group")
    assert "lowered most" in line_of(sheet, f"{cells}/logit_effects.parquet", "side")
    assert "plain" in line_of(sheet, "{corpus}/spans.parquet", "side")
    assert "first word of a text" in line_of(sheet, "{corpus}/occurrences.parquet", "start")
    assert "first token" in line_of(sheet, "{corpus}/spans.parquet", "start")
    assert "position of the cell" in line_of(sheet, "summary.parquet", "position")


def test_an_unfinished_study_says_what_it_lacks(tiny):
    tables = tables_of(tiny / "results/tiny")
    whole = {table.path: "tests" for table in tables}
    assert missing_of(whole, tables) == [] == missing_of({}, tables)
    line, _ = missing_of({**whole, "absent.parquet": "themes"}, tables)
    assert f"{len(tables)} of {len(tables) + 1} tables are there" in line and "`themes`" in line


def test_the_sheet_cites_as_the_repository_does(packed):
    sheet = contents(packed)["README.md"].decode()
    cited = (NOTEBOOK.parents[1] / "CITATION.cff").read_text()
    title = cited.partition('title: "')[2].partition('"')[0]
    authors = cited.partition("- name: ")[2].partition("\n")[0]
    assert f"Cite as: {authors}. {title}." in sheet


def test_the_same_bytes_at_another_time_and_place(tiny, packed, tmp_path):
    assert share(tiny, tmp_path / "again.zip") == 0
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_as_csv_for_who_has_no_parquet(tiny, tmp_path, capsys):
    assert share(tiny, tmp_path / "csv.zip", "--csv", "--licence", "CC BY 4.0") == 0
    first, about, last = capsys.readouterr().out.splitlines()
    assert (
        first.endswith(" as parquet")
        and about.startswith("about ")
        and last.startswith(f"{tmp_path / 'csv.zip'}: ")
    )
    files = contents(tmp_path / "csv.zip")
    sheet = files["README.md"].decode()
    assert "CC BY 4.0" in sheet and "### `{corpus}/tokens.csv`" in sheet
    assert "### `{corpus}/tokens.parquet`" not in sheet
    folder = tiny / "results/tiny/headlines/cells/L1A-8x"
    name = "headlines/cells/L1A-8x"
    table = pyarrow.csv.read_csv(io.BytesIO(files[f"{name}/features.csv"])).to_pandas()
    own = pq.read_table(folder / "features.parquet").to_pandas()
    assert table["feature"].tolist() == own["feature"].tolist()
    assert table["density"].tolist() == own["density"].tolist(), "all digits"
    top = pyarrow.csv.read_csv(io.BytesIO(files[f"{name}/top_tokens.csv"])).to_pandas()
    own = pq.read_table(folder / "top_tokens.parquet").to_pandas()
    assert json.loads(top["window_tokens"][0]) == own["window_tokens"][0].tolist()


def test_a_study_without_tables(tmp_path, capsys):
    assert share(tmp_path, tmp_path / "a.zip") == 1
    assert "There is no study 'tiny'" in capsys.readouterr().err
    (tmp_path / "results/tiny").mkdir(parents=True)
    assert share(tmp_path, tmp_path / "a.zip") == 1
    assert "has no tables. Make them with snakemake." in capsys.readouterr().err


def test_the_notebook_runs_on_a_finished_study(tiny, monkeypatch, capsys):
    """Its code, cell by cell, in one namespace; the last expression of each is shown, not None."""
    notebook = json.loads(NOTEBOOK.read_text())
    code = ["".join(one["source"]) for one in notebook["cells"] if one["cell_type"] == "code"]
    assert code[0] == 'STUDY = "toy"' and len(code) > 10
    monkeypatch.chdir(tiny)
    space: dict[str, object] = {}
    for number, text in enumerate(['STUDY = "tiny"', *code[1:]]):
        *body, last = ast.parse(text).body
        shown = isinstance(last, ast.Expr)
        where = f"cell {number}"
        exec(compile(ast.Module(body if shown else [*body, last], []), where, "exec"), space)
        if shown:
            value = eval(compile(ast.Expression(last.value), where, "eval"), space)
            assert value is not None and repr(value), text
    assert space["z"].nnz > 0 and len(space["hits"]) == 20
    assert "features a token: " in capsys.readouterr().out


def test_the_notebook_is_stripped():
    """No outputs, no counts, no machine of whoever ran it."""
    notebook = json.loads(NOTEBOOK.read_text())
    for one in notebook["cells"]:
        assert one.get("outputs", []) == [] and one.get("execution_count") is None
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
