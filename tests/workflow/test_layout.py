"""The shape of the repository, kept true."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
RULE = re.compile(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", re.S | re.M)
SMK = sorted((ROOT / "workflow/rules").glob("*.smk"))


def rules():
    """Name, body and file of each rule that runs a script."""
    for smk in SMK:
        for name, body in RULE.findall(smk.read_text()):
            if "script:" in body:
                yield name, body, smk


def value(body, key):
    return re.search(rf'{key}:\s+"(.+?)"', body)[1]


def test_rule_script_and_log_share_one_name():
    served = {(name, (smk.parent / value(body, "script")).resolve()) for name, body, smk in rules()}
    assert served == {(path.stem, path) for path in SCRIPTS}


@pytest.mark.parametrize("rule", list(rules()), ids=lambda r: r[0])
def test_every_stage_has_log_benchmark_resources_and_one_spec(rule):
    _, body, _ = rule
    log, benchmark = value(body, "log"), value(body, "benchmark")
    assert log.removesuffix(".log") == benchmark.removesuffix(".tsv")
    # Both grow with every attempt after a failure.
    assert re.search(r"mem_mb=growing\(.+\),\s+runtime=growing\(.+\)", body)
    assert re.findall(r"params:\n((?: {8}.*\n)+)", body) == [
        next(iter(re.findall(r"params:\n( {8}spec=stage\(PLAN\.\w+_spec\),\n)", body)))
    ]


@pytest.mark.parametrize("smk", SMK, ids=lambda p: p.stem)
def test_a_rule_file_opens_with_what_comes_in_and_out(smk):
    opening = ast.get_docstring(
        ast.parse(
            smk.read_text()
            .split("\nrule ")[0]
            .split("\nlocalrules")[0]
            .split("\nwildcard_constraints")[0]
        )
    )
    assert opening
    if "script:" in smk.read_text():
        assert re.search(r"^IN ", opening, re.M)
        assert re.search(r"^OUT ", opening, re.M)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_scripts_carry(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "say in one line what the stage does"
    assert len(text.splitlines()) <= 45
    thinking = ast.FunctionDef | ast.ClassDef | ast.If | ast.For | ast.While | ast.Lambda
    assert not [n for n in ast.walk(tree) if isinstance(n, thinking)], "logic belongs in src/"
    # The config is not tracked; all that decides a result is in the spec.
    assert "snakemake.config" not in text
    assert "snakemake.params" not in text
    assert "snakemake.threads" not in text


def test_no_retries_no_cache_in_rules():
    for smk in SMK:
        text = re.sub(r"#.*", "", smk.read_text())
        assert not re.search(r"^\s*(retries|cache)\s*:", text, re.M), smk.name


def test_profiles_leave_out_the_code_trigger():
    for profile in (ROOT / "profiles").glob("*/config.yaml"):
        settings = yaml.safe_load(profile.read_text())
        assert "code" not in settings["rerun-triggers"], profile
        assert settings["rerun-incomplete"] is True, profile


def test_slurm_groups_all_jobs_of_a_cell_and_encode_with_nothing_else():
    settings = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    groups = dict(line.split("=") for line in settings["groups"])
    assert {name for name, _, _ in rules()} == {
        *groups,
        "verify_checkpoint",
        "capture",
        "fill_store",
    }
    assert [rule for rule, group in groups.items() if group == groups["encode"]] == ["encode"]
    sizes = dict(line.split("=") for line in settings["group-components"])
    assert sizes.keys() == set(groups.values()) - {"study"}


def test_the_lock_pins_every_dependency_and_names_no_address():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()  # noqa: E731
    lock = (ROOT / "requirements.lock").read_text()
    pins = dict(line.split("==") for line in lock.splitlines() if line and line[0] != "#")
    for line in project["dependencies"] + extras:
        assert normal(re.match(r"[\w.-]+", line)[0]) in map(normal, pins), line
    assert "://" not in lock
    assert "@" not in lock


def test_no_module_of_the_library_imports_snakemake():
    for path in (ROOT / "src").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.M), path


def test_nothing_unsafe():
    """No pickle, no remote code."""
    for path in [*(ROOT / "src").rglob("*.py"), *SCRIPTS]:
        text = path.read_text()
        assert not re.search(r"^\s*import pickle|torch\.load\(|allow_pickle=True", text, re.M), path
        assert "trust_remote_code=True" not in text, path
