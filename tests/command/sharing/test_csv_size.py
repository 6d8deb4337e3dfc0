"""The size of tables as CSV, known before they are written."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saegrid.command import main
from saegrid.command.sharing.tables import as_csv, csv_size, tables_of


@pytest.fixture
def folder(tmp_path):
    """A study with a small table, a large one of rows of one size, and an empty one."""
    study = tmp_path / "results/small"
    study.mkdir(parents=True)
    (study / "config.json").write_text(json.dumps({"study": "small"}))
    small = pa.table({"word": ["a", "bc", None], "pieces": [["x", "y"], [], None]})
    large = pa.table({"n": pa.array(range(10_000, 99_000))})
    pq.write_table(small, study / "small.parquet")
    pq.write_table(large, study / "large.parquet", row_group_size=20_000)
    pq.write_table(large.slice(0, 0), study / "empty.parquet")
    return study


def test_the_size_as_csv(folder):
    """Small: counted. Large: its head of 4 bytes and 89,000 rows of 6. Empty: a head of 4."""
    tables = tables_of(folder)
    small = len(as_csv(pq.read_table(folder / "small.parquet")))
    assert csv_size(folder, tables).text == small + 4 + 6 * 89_000 + 4
    assert 0 < csv_size(folder, tables).zipped < csv_size(folder, tables).text


def test_the_command_says_it_first(folder, tmp_path, capsys):
    out = tmp_path / "a.zip"
    words = ["tables", "--study", "small", "--results", str(folder.parent), "--out", str(out)]
    assert main([*words, "--csv"]) == 0
    first, about, last = capsys.readouterr().out.splitlines()
    assert first.startswith("3 tables, ") and last.startswith(f"{out}: ")
    assert about.startswith("about 534.1 kB as CSV, ") and about.endswith(" of these in the zip")
    assert main(words) == 0
    assert "as CSV" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", ["", "[]", "null", '{"corpora": null}', '{"corpora": {"a": 3}}']
)
def test_a_damaged_config_is_one_sentence(folder, tmp_path, capsys, content):
    (folder / "config.json").write_text(content)
    out = tmp_path / "a.zip"
    words = ["tables", "--study", "small", "--results", str(folder.parent), "--out", str(out)]
    assert main(words) == 1 and not out.exists()
    said = capsys.readouterr().err
    assert said.startswith("saegrid tables: ") and "config.json is damaged" in said
    assert said.count("\n") == 1
