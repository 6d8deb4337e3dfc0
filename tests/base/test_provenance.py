"""The content of config.json, and what of it a run with nothing to do renews."""

import json

import pytest

from saegrid.base.provenance import provenance, renew_licences

STUDY = {"study": "a", "licence": "CC BY 4.0", "corpora": {"x": {"licence": "CC0"}}}


def test_only_licences_are_renewed(tmp_path):
    path = tmp_path / "config.json"
    assert renew_licences(path, STUDY) == [] and not path.exists(), "no run has begun"
    before = {"study": "a", "corpora": {"x": {"role": "main"}, "gone": {}}, "commit": "abc"}
    path.write_text(json.dumps(before))
    assert renew_licences(path, STUDY) == ["licence", "corpora.x.licence"]
    assert json.loads(path.read_text()) == {
        "study": "a",
        "corpora": {"x": {"role": "main", "licence": "CC0"}, "gone": {}},
        "commit": "abc",
        "licence": "CC BY 4.0",
    }


def test_a_file_without_a_change_is_left_alone(tmp_path):
    path = tmp_path / "config.json"
    text = json.dumps({"study": "a", "corpora": {"x": {}}})
    path.write_text(text)
    assert renew_licences(path, {"licence": None, "corpora": {"x": {"licence": None}}}) == []
    assert path.read_text() == text


def test_versions_and_commit_stand_beside_the_study():
    facts = provenance(STUDY)
    assert facts["licence"] == "CC BY 4.0" and facts["versions"]["saegrid"] and "commit" in facts


@pytest.mark.parametrize("content", [
    b"", b"\xcd\x00", b'{"licence": ', b"[]", b"null", b"3", b'{"corpora": null}',
    b'{"corpora": ["x"]}', b'{"corpora": {"x": null}}',
])  # fmt: skip
def test_a_damaged_file_is_left_to_the_next_run(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert renew_licences(path, STUDY) == []
    assert path.read_bytes() == content
