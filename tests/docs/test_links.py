"""Links, pictures and paths of the documents lead somewhere; the README is one page."""

import re
from urllib.parse import urlsplit

import pytest
import yaml

import saegrid
from documents import ROOT, anchors, texts, without_code, written

TEXTS = texts()


def targets(text):
    """Targets of the links and pictures of a document."""
    plain = without_code(text)
    return [*re.findall(r"\]\(([^)\s]+)\)", plain), *re.findall(r'\bsrc(?:set)?="([^"]+)"', plain)]


@pytest.mark.parametrize("document", TEXTS)
def test_links_lead_somewhere(document):
    for target in targets(TEXTS[document]):
        if "://" in target:
            parts = urlsplit(target)
            assert parts.scheme == "https" and "." in parts.netloc, target
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        assert file.is_file(), f"{document} links to {path}, which is not there"
        if anchor:
            assert anchor in anchors(file.read_text()), f"{document} links to {target}"


@pytest.mark.parametrize("document", sorted(TEXTS.keys() - {"CONTRIBUTING.md"}))  # it has its own
def test_paths_in_code_are_there(document):
    """Paths that begin with a folder of the repository and end in that of a file."""
    folders = "config|resources|profiles|workflow|benchmarks|envs|src"
    pattern = rf"(?<![\w./-])(?:{folders})/[\w./-]*\w\.(?:yaml|json|py|md|csv|gz|smk)\b"
    for path in set(re.findall(pattern, TEXTS[document])) - written():
        assert (ROOT / path).exists(), f"{document} names {path}"


def test_every_document_and_picture_is_reached():
    """The README leads to each document, over any number of links."""
    seen, todo = set(), ["README.md"]
    while todo:
        document = todo.pop()
        if document not in seen:
            seen.add(document)
            linked = [
                (ROOT / document).parent / t.partition("#")[0] for t in targets(TEXTS[document])
            ]
            names = {str(p.resolve().relative_to(ROOT)) for p in linked if p.is_file()}
            todo += names & TEXTS.keys()
            seen |= names - TEXTS.keys()
    pictures = {str(p.relative_to(ROOT)) for p in (ROOT / "docs/img").iterdir()}
    assert seen >= TEXTS.keys() - {"config/README.md"} | pictures
    assert pictures and all((ROOT / p).stat().st_size <= 150_000 for p in pictures)


def test_the_readme_is_one_page():
    text = TEXTS["README.md"]
    assert len(text.splitlines()) < 200
    for command in ("python3 make.py toy", "python3 make.py test", "saegrid new --model gpt2"):
        assert command in text


def test_the_citation_has_the_version_of_the_library():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    required = {"cff-version", "message", "title", "authors"}
    known = {"abstract", "type", "version", "license", "keywords"}
    assert required <= cited.keys() <= required | known
    assert cited["version"] == saegrid.__version__ and cited["authors"]
    assert f"The version in the code is {saegrid.__version__}." in TEXTS["CHANGELOG.md"]


def test_the_catalogue_of_workflows_has_what_it_asks_for():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment"}
    deployment = usage["software-stack-deployment"]
    assert deployment.keys() == {"conda", "apptainer", "apptainer+conda", "report"}
    assert all(isinstance(value, bool) for value in deployment.values())
    assert re.search("snakemake", TEXTS["README.md"], re.I)
    assert re.search("workflow", TEXTS["README.md"], re.I)
    assert 'include: "../Snakefile"' in (ROOT / "workflow/Snakefile").read_text()
