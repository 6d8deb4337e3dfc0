"""What YAML passes over in silence is told, with its lines."""

import pytest

from mistaken import REPOSITORY
from saegrid.config.yaml import mistakes


def told(tmp_path, text) -> list[str]:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return [line.removeprefix(f"{path}") for line in mistakes(path)]


def test_a_key_that_stands_twice_is_told_with_both_lines(tmp_path):
    text = "study: a\nmodel:\n  path: x\n  seed: 1\n  path: y\nstudy: b\n"
    silence = "which YAML would drop in silence. Leave one out."
    assert told(tmp_path, text) == [
        f", line 6: study stands in line 1 already, {silence}",
        f", line 5: model.path stands in line 3 already, {silence}",
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("saes: {8x: {k: 1}, 8x: {k: 2}}", "saes.8x"),
        ("saes: {8x: {k: 1}, '8x': {k: 2}}", "saes.8x"),
        ("grid:\n- {layers: [1], layers: [2]}", "grid.0.layers"),
        ('{"study": "a", "study": "b"}', "study"),
        ("a: 1\na: 2\na: 3", "a"),
    ],
)
def test_wherever_it_stands(tmp_path, text, key):
    assert all(f": {key} stands in line " in line for line in told(tmp_path, text))
    assert len(told(tmp_path, text)) == text.count("a: ") - 1 if key == "a" else 1


def test_keys_of_merged_sections_and_of_other_types_are_no_repeats(tmp_path):
    assert told(tmp_path, "base: &b {k: 1}\none: {<<: *b, k: 2}\n1: x\n'1': y") == []


def test_an_anchor_bomb_and_one_that_holds_itself_are_looked_at_once(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)
    ]
    assert told(tmp_path, "\n".join(lines)) == []
    assert told(tmp_path, "a: &a [*a]\nb: &b {c: *b}") == []


def test_what_is_no_yaml_is_told_with_line_and_column(tmp_path):
    (line,) = told(tmp_path, "study: a\nmodel: [1, 2\n")
    assert line.startswith(", line 3, column 1: this is no YAML: expected ',' or ']'")
    (line,) = told(tmp_path, "\tstudy: a")
    assert line.startswith(", line 1, column 1: this is no YAML: ")
    (line,) = told(tmp_path, "[" * 5_000)
    assert "this is no YAML" in line
    (tmp_path / "config.yaml").write_bytes(b"study: \xff")
    assert "this is no YAML" in mistakes(tmp_path / "config.yaml")[0]
    assert "cannot be read" in mistakes(tmp_path / "nowhere.yaml")[0]


def test_a_template_is_refused_for_its_python_would_run(tmp_path):
    (line,) = told(tmp_path, "__use_yte__: true\nstudy: ?__import__('os').getcwd()")
    assert line.startswith(", line 1: a config with __use_yte__ is a template")


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "config").glob("*.yaml")), ids=lambda p: p.stem
)
def test_shipped_configs_have_none(path):
    assert mistakes(path) == []


def test_an_empty_file_has_none(tmp_path):
    assert told(tmp_path, "") == []
