"""Reports of a finished study: what an archive shows links and loads as it does in results."""

import re
import sys
import zipfile
from pathlib import Path, PurePosixPath
from posixpath import normpath
from urllib.parse import unquote, urlsplit

import pytest
from finished import copy, finished
from pipeline import TINY, snakemake

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from reading import Document

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The files of a report of the tiny study, with its metrics, by their path in the archive."""
    work = copy(finished("tiny"), tmp_path_factory.mktemp("report") / "saegrid")
    done = snakemake(work, "--report", "report.zip", "all", "metrics", study=TINY)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    with zipfile.ZipFile(work / "report.zip") as file:
        assert len(set(file.namelist())) == len(file.namelist()), "each file once"
        return {name: file.read(name) for name in file.namelist()}


def pages(archive):
    """The HTML pages of the study by path, and the folder that they lie in."""
    (index,) = [PurePosixPath(name) for name in archive if name.endswith("/index.html")]
    return index.parent, {
        PurePosixPath(name): raw.decode()
        for name, raw in archive.items()
        if name.endswith(".html") and PurePosixPath(name).is_relative_to(index.parent)
    }


def test_every_link_and_image_of_every_page_is_in_the_archive(archive):
    folder, every = pages(archive)
    followed = 0
    for page, text in every.items():
        document = Document(text)
        for address in [*document.links, *document.images]:
            parts = urlsplit(address)
            if parts.scheme or not parts.path:
                continue
            target = normpath(str(page.parent / unquote(parts.path)))
            assert target in archive, f"{page.relative_to(folder)} links {address}"
            followed += 1
    assert followed > 20


def test_all_pages_and_figures_of_the_study_are_there(archive):
    folder, every = pages(archive)
    names = {str(page.relative_to(folder)) for page in every}
    assert {"index.html", "map.html", "health.html"} <= names
    cells = [name for name in names if name.endswith("features.html")]
    assert sorted(cells) == [f"headlines/cells/L1{at}-8x/features.html" for at in "AR"]
    figures = {name for name in archive if re.search(r"/figures/\w+\.(svg|pdf)$", name)}
    assert len(figures) >= 20
    assert f"{folder}/figures/layer_curves.pdf" in figures


def test_a_report_of_one_file_is_made_too(tmp_path):
    """Pages in it are told apart by their address, and say that links are left out."""
    work = copy(finished("tiny"), tmp_path / "saegrid")
    done = snakemake(work, "--report", "report.html", "all", study=TINY)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert (work / "report.html").stat().st_size > 100_000
    index = (work / "results/tiny/index.html").read_text()
    assert 'class="alone" role="note" hidden' in index and "is-alone" in index
