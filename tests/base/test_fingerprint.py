"""Fingerprints change with the code that decides a result, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from saegrid.base import fingerprint as workflow

FILES = {
    "__init__.py": "def open(x):\n    from saegrid.examples import y\n",
    "io.py": "def canonical(x):\n    return x\n",
    "density.py": '"""Doc."""\nfrom saegrid.io import canonical\n\ndef density():\n    return 1\n',
    "examples.py": "from saegrid.density import density\n",
    "masks/__init__.py": 'MASKS = {"a": "saegrid.masks.a:mask"}\n',
    "masks/a.py": "from saegrid.masks import MASKS\nX = 1\n",
}


def forget():
    workflow._module.cache_clear()
    workflow._templates.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / "saegrid" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(workflow, "SOURCE", tmp_path / "saegrid")
    forget()
    yield tmp_path / "saegrid"
    forget()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    forget()


def test_own_code_and_imports_count(package):
    density, examples = workflow.fingerprint("density"), workflow.fingerprint("examples")
    edit(package / "density.py", "return 1", "return 2")
    assert workflow.fingerprint("density") != density
    assert workflow.fingerprint("examples") != examples
    density = workflow.fingerprint("density")
    edit(package / "io.py", "return x", "return [x]")
    assert workflow.fingerprint("density") != density


def test_comments_docstrings_and_layout_do_not_count(package):
    before = workflow.fingerprint("density")
    edit(package / "density.py", '"""Doc."""', '"""Other."""\n\n# why\n')
    edit(package / "density.py", "return 1", "return (1)  # one")
    assert workflow.fingerprint("density") == before


def test_unrelated_code_does_not_count(package):
    before = workflow.fingerprint("density")
    edit(package / "masks/a.py", "X = 1", "X = 2")
    assert workflow.fingerprint("density") == before


def test_code_that_decides_no_result_does_not_count(package):
    for name in ("saes/cache/__init__.py", "saes/cache/download.py", "saes/other.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("X = 1\n")
    uses = "from saegrid.saes import other\nfrom saegrid.saes.cache import X\n"
    edit(package / "density.py", "\ndef", f"{uses}from saegrid.saes.cache.download import X\n\ndef")
    before = workflow.fingerprint("density")
    edit(package / "saes/cache/__init__.py", "1", "2")
    edit(package / "saes/cache/download.py", "1", "2")
    assert workflow.fingerprint("density") == before
    edit(package / "saes/other.py", "1", "2")
    assert workflow.fingerprint("density") != before


def test_a_new_entry_in_a_registry_does_not_count(package):
    before = workflow.fingerprint("saegrid.masks.a:mask")
    edit(package / "masks/__init__.py", "}", ', "b": "saegrid.masks.b:mask"}')
    assert workflow.fingerprint("saegrid.masks.a:mask") == before


def test_the_script_counts(package, tmp_path):
    script = tmp_path / "density.py"
    script.write_text("print(1)\n")
    before = workflow.fingerprint("density", script=script)
    script.write_text("print(1)  # one\n")
    assert workflow.fingerprint("density", script=script) == before
    script.write_text("print(2)\n")
    assert workflow.fingerprint("density", script=script) != before


def test_what_the_script_imports_counts(package, tmp_path):
    script = tmp_path / "density.py"
    script.write_text("from saegrid import io, workflow\nfrom saegrid.masks.a import X\n")
    before = workflow.fingerprint(script=script)
    edit(package / "density.py", "return 1", "return 2")
    assert workflow.fingerprint(script=script) == before
    edit(package / "masks/a.py", "X = 1", "X = 2")
    assert workflow.fingerprint(script=script) != before


def test_templates_beside_the_code_count(package):
    (package / "masks" / "app.js").write_text("1")
    before = workflow.fingerprint("masks.a")
    (package / "masks" / "app.js").write_text("2")
    forget()
    assert workflow.fingerprint("masks.a") != before


def test_a_module_that_is_not_there_is_refused(package):
    with pytest.raises(ValueError, match=r"There is no module saegrid\.densty\."):
        workflow.fingerprint("densty")


def test_older_times_and_copies_do_not_count(package, tmp_path, monkeypatch):
    before = workflow.fingerprint("examples")
    shutil.copytree(package, tmp_path / "copy" / "saegrid")
    monkeypatch.setattr(workflow, "SOURCE", tmp_path / "copy" / "saegrid")
    forget()
    assert workflow.fingerprint("examples") == before
