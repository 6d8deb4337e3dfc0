"""The shape of the repository, kept true."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from documents import texts
from saegrid.config.corpora import Corpus, Source
from saegrid.config.models import CheckpointSae, Model, TrainedSae
from saegrid.models import FAMILIES
from saegrid.saes.formats import FORMATS
from saegrid.saes.training import RECIPES
from saegrid.stages import load
from saegrid.stages.written import BLOCK, BLOCKS, renewed
from saegrid.text.corpora import CORPORA
from saegrid.text.layouts import LAYOUTS
from saegrid.text.masks import MASKS

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
SMK = sorted((ROOT / "workflow/rules").glob("*.smk"))


def test_rules_with_a_script_are_bound_from_their_stages():
    """All in one place: log, benchmark, resources that grow, and one spec."""
    texts = {smk.stem: smk.read_text() for smk in SMK}
    assert [name for name, text in texts.items() if re.search(r"^ *script:", text, re.M)] == [
        "common"
    ]
    _, _, rule = texts["common"].partition("def bind(stage):")
    assert re.findall(r"params:\n((?: {12}.*\n)+)", rule) == ["            spec=one.spec,\n"]
    for key in ("log", "benchmark", "resources", "threads", "conda"):
        assert re.search(rf"^        {key}:", rule, re.M), key


@pytest.mark.parametrize("smk", SMK, ids=lambda p: p.stem)
def test_a_rule_file_opens_with_what_comes_in_and_out(smk):
    text = smk.read_text()
    opening = re.match(r'"""\n(.+?)\n"""\n', text, re.S)
    assert opening
    if "bind(PLAN" in text:
        assert re.search(r"^IN ", opening[1], re.M)
        assert re.search(r"^OUT ", opening[1], re.M)


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


def test_slurm_groups_are_those_of_the_stages():
    """Jobs of a cell are in one, but what its page shows of other cells too, and the page; encode,
    on the GPU, is with nothing else."""
    settings = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    groups = dict(line.split("=") for line in settings["groups"])
    stages = load()
    assert groups == {
        name: stage.needs.group for name, stage in stages.items() if stage.needs.group
    }
    alone = {
        "verify_checkpoint",
        "capture",
        "surprisal",
        "fill_store",
        "filling",
        "search",
        "continuations",
        "hooks_clamps",
        "readout_codes",
        "readout_padded",
    }
    assert stages.keys() - groups.keys() == alone
    assert [rule for rule, group in groups.items() if group == groups["encode"]] == ["encode"]
    of_cells = {name for name, stage in stages.items() if stage.is_of_cells} - {"encode"}
    with_pages = {"concepts", "kin", "names", "published", "page"}
    assert {name for name, group in groups.items() if group == "pages"} == with_pages
    run_the_model = {"attribution", "steering"}
    assert {groups[name] for name in run_the_model} == {groups["measure"]}
    assert {groups[name] for name in of_cells - with_pages - run_the_model} == {"cells"}
    sizes = dict(line.split("=") for line in settings["group-components"])
    assert sizes.keys() == set(groups.values()) - {"study"}


def test_what_is_made_from_the_code_is_in_step():
    """The schema, the blocks of the documents, the groups of the SLURM profile."""
    for path, text in renewed(ROOT).items():
        assert Path(path).read_text() == text, (
            f"{path} is not what the code says. Mend it: python3 make.py schema"
        )
    written = {name for text in texts().values() for _, name, _ in BLOCK.findall(text)}
    assert written == set(BLOCKS), "each stands in a document"


@pytest.mark.parametrize(
    ("section", "key", "registry"),
    [
        (Model, "family", FAMILIES),
        (TrainedSae, "recipe", RECIPES),
        (CheckpointSae, "format", FORMATS),
        (Source, "kind", CORPORA),
        (Corpus, "layout", LAYOUTS),
        (Corpus, "mask", MASKS),
    ],
)
def test_help_names_what_is_registered(section, key, registry):
    words = re.findall(r"\w+", section.model_fields[key].description)
    assert set(registry) <= set(words)


def test_paths_in_the_guide_are_there():
    """From the repository, the package or the tests, but for those of its example."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = set(re.findall(r"`([\w./-]+(?:\.(?:py|smk|json|yaml|md)|/))`", text))
    paths = {
        path for path in paths if not re.search(r"probe|min_activation|^results/|^verified", path)
    }
    places = (ROOT, ROOT / "src/saegrid", ROOT / "src/saegrid/stages", ROOT / "tests")
    missing = {path for path in paths if not any((place / path).exists() for place in places)}
    assert len(paths) > 25 and missing == set()


def test_the_guide_names_every_room_from_the_top_down():
    """In the order in which imports run; a room is in one row, and no entry stands beside them."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    rooms = [
        name.strip() for layer in linter["contracts"][0]["layers"] for name in layer.split("|")
    ]
    house = (
        (ROOT / "CONTRIBUTING.md").read_text().partition("## The house")[2].partition("\n## ")[0]
    )
    assert re.findall(r"^\| `(\w+)` \|", house, re.M) == rooms
    entries = {path.name for path in (ROOT / "src/saegrid").iterdir()} - {"__pycache__"}
    assert entries == {*rooms, "__init__.py"} and len(entries) <= 18


def test_the_lock_pins_every_dependency_and_names_no_address():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional, unlocked = project["optional-dependencies"], ("words", "umap", "glove")
    extras = [line for name, lines in optional.items() if name not in unlocked for line in lines]
    normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()  # noqa: E731
    lock = (ROOT / "requirements.lock").read_text()
    pins = dict(line.split("==") for line in lock.splitlines() if line and line[0] != "#")
    for line in project["dependencies"] + extras:
        assert normal(re.match(r"[\w.-]+", line)[0]) in map(normal, pins), line
    assert "://" not in lock
    assert "@" not in lock


def test_no_module_of_the_library_imports_snakemake():
    for path in (ROOT / "src/saegrid").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.M), path


def test_nothing_unsafe():
    """No pickle but through torch's reader of plain tensors, no remote code."""
    for path in [*(ROOT / "src").rglob("*.py"), *SCRIPTS]:
        text = path.read_text()
        unsafe = r"^\s*import pickle|pickle\.loads?\(|torch\.load\((?![^)]*weights_only=True)"
        assert not re.search(rf"{unsafe}|allow_pickle=True", text, re.M), path
        assert "trust_remote_code=True" not in text, path


def test_no_object_of_the_stages_has_more_than_twelve_public_methods():
    many = {}
    for path in (ROOT / "src/saegrid/stages").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                methods = [m for m in node.body if isinstance(m, ast.FunctionDef)]
                public = [m.name for m in methods if not m.name.startswith("_")]
                if len(public) > 12:
                    many[node.name] = public
    assert many == {}
