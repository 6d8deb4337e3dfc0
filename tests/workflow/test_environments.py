"""Environment files and the container recipe, in step with the package; nothing is built here."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ENVS = sorted((ROOT / "envs").glob("*.yaml"))
RECIPE = (ROOT / "envs/Containerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
CONDA = {"torch": "pytorch"}
"""What conda calls by another name."""


def instructions():
    """Keyword and argument of each instruction; comments gone, continued lines joined."""
    lines = [line for line in RECIPE.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]


def arguments(keyword):
    return [argument for found, argument in instructions() if found == keyword]


def python_version(text):
    return re.search(r"(\d+)\.(\d+)", text).groups()


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_an_environment_holds_the_dependencies_of_the_package(path):
    listed = yaml.safe_load(path.read_text())["dependencies"]
    wanted = {re.sub(r"^\w+", lambda m: CONDA.get(m[0], m[0]), d) for d in PROJECT["dependencies"]}
    assert {line for line in listed if not line.startswith("python=")} == wanted
    (python,) = [line for line in listed if line.startswith("python=")]
    assert python_version(python) == python_version(PROJECT["requires-python"])
    assert "on Python " + ".".join(python_version(python)) in LOCK


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_the_library_itself_is_installed_from_the_checkout(path):
    script = path.with_suffix(".post-deploy.sh").read_text()
    assert "pip install --no-deps --editable ." in script


def test_every_rule_has_an_environment_and_every_environment_a_rule():
    used = set()
    for smk in sorted((ROOT / "workflow/rules").glob("*.smk")):
        text = smk.read_text()
        found = re.findall(r'conda:\s+"(.+?)"', text)
        assert len(found) == text.count("script:"), smk.name
        used |= {(smk.parent / name).resolve() for name in found}
    assert used == set(ENVS)


def test_what_the_container_copies_is_there_and_is_all_that_a_run_needs():
    copied = {name for line in arguments("COPY") for name in line.split()[:-1]}
    assert all((ROOT / name).exists() for name in copied)
    tracked = {"Snakefile", "config", "envs", "profiles", "resources", "src", "workflow"}
    packaged = {"pyproject.toml", "requirements.lock", PROJECT["readme"], *PROJECT["license-files"]}
    assert copied == tracked | packaged


def test_the_container_is_pinned_by_the_lock():
    runs = " ".join(arguments("RUN"))
    assert "pip install --requirement requirements.lock" in runs
    assert "pip install --no-deps --editable ." in runs
    # The other build of torch has the version of the lock too.
    assert """"$(grep '^torch==' requirements.lock)\"""" in runs
    assert len(re.findall(r"^torch==\S+$", LOCK, re.M)) == 1


def test_the_container_has_the_python_of_the_lock_and_declares_its_arguments():
    declared = dict(line.split("=", 1) for line in arguments("ARG"))
    assert set(declared) == {"BASE", "TORCH_INDEX"}
    assert python_version(declared["BASE"]) == python_version(PROJECT["requires-python"])
    assert arguments("FROM") == ["${BASE}"]
    for name in declared:
        assert re.search(rf"\${{?{name}\b", RECIPE), name
    # An argument before FROM is none after it.
    keywords = [keyword for keyword, _ in instructions()]
    assert keywords[:3] == ["ARG", "FROM", "ARG"]


def test_the_container_names_no_registry():
    assert "://" not in RECIPE
    for image in [*arguments("FROM"), *(line.partition("=")[2] for line in arguments("ARG"))]:
        assert "." not in image.partition("/")[0] or "/" not in image, image


def test_the_container_runs_what_the_package_installs():
    assert arguments("ENTRYPOINT") == ['["snakemake"]']
    assert re.search(r"^snakemake==", LOCK, re.M)
    named = re.findall(r"config/\w+\.yaml", RECIPE)
    assert named
    assert all((ROOT / name).is_file() for name in named)
    # A mounted checkout must lie where the library was installed from.
    assert arguments("WORKDIR") == ["/saegrid"]
    assert '-v "$PWD:/saegrid"' in RECIPE
