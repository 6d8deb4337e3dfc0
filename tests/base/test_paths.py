"""Paths of a config: variables and packages."""

import pytest

from saegrid.base.paths import PathError, expand, expand_all


def test_variables_and_packages_are_filled_in(monkeypatch, tmp_path):
    monkeypatch.setenv("SAEGRID_TEST", str(tmp_path))
    assert expand("${SAEGRID_TEST}/a") == f"{tmp_path}/a"
    assert expand("plain/a") == "plain/a"
    assert expand("package:saegrid/browser").endswith("saegrid/browser")
    nested = {"x": ["${SAEGRID_TEST}", 3], "y": {"z": None, "w": "package:saegrid/a"}}
    found = expand_all(nested)
    assert found["x"] == [str(tmp_path), 3]
    assert found["y"]["w"].endswith("saegrid/a")
    assert found["y"]["z"] is None


def test_what_leads_nowhere_says_how_to_mend_it(monkeypatch):
    monkeypatch.delenv("SAEGRID_TEST", raising=False)
    with pytest.raises(PathError) as error:
        expand("${SAEGRID_TEST}/a")
    assert str(error.value) == (
        "${SAEGRID_TEST} stands in a path, but the environment variable SAEGRID_TEST is not set. "
        "Set it to the file or folder that the config means by it: export SAEGRID_TEST=/path/to/it"
    )
    with pytest.raises(PathError) as error:
        expand("package:no_such_package/a")
    assert str(error.value) == (
        "package:no_such_package/a: the package no_such_package is not installed. "
        "Install it: pip install no-such-package"
    )
    monkeypatch.setenv("SAEGRID_TEST", "")
    with pytest.raises(PathError, match="the environment variable SAEGRID_TEST is empty"):
        expand("${SAEGRID_TEST}/a")
    with pytest.raises(PathError, match=r"^package:os/a: os is one module and no package"):
        expand("package:os/a")


@pytest.mark.parametrize("name", ["saegrid.text", "no_such.part", "", "..x", "a b", "/etc"])
def test_a_package_is_named_without_dots_and_nothing_is_run_to_find_it(name):
    with pytest.raises(PathError, match="must be followed by the name of a package alone"):
        expand(f"package:{name}/a")
