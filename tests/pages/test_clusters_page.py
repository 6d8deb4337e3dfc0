"""The page of clusters: its sentences and numbers are those of its tables, its texts are text."""

import re
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from grouping import FACTS, page_of, site, table
from reporting import FACTS as REPORT
from reporting import report
from saegrid.meaning.clusters.tables import SCHEMAS
from saegrid.pages.browser.clustered import PARTS
from saegrid.pages.browser.clustered_charts import PANELS, panels
from saegrid.pages.browser.clustered_tables import site_of
from saegrid.pages.browser.report import report_page

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from reading import Document


def words(page):
    return " ".join(Document(page).text.split())


@pytest.fixture(scope="module")
def page():
    return page_of(site("L1R"), site("L2R", firm=False, p=0.6))


def test_the_page_says_what_the_tables_do(page):
    text = words(page)
    for sentence in (
        "Texts form firm clusters by SAE codes in 1 of 2 cells; they agree with th<em>e beyond "
        "chance in 1, clusters by raw activations in none of 2 sites.",
        "L1R-8x: 2 clusters of 12 texts, firm: drawn again they agree by 0.90 (shuffled rows: "
        "0.25). Silhouette 0.50, shuffled 0.10, p 0.048.",
        "L2R-8x: 2 clusters of 12 texts, not firm",
        "L1R-8x with th<em>e: ARI 0.75 (0.50 to 0.90; 95 % of shuffled labels below 0.12, p "
        "0.001), purity 0.90 (chance 0.60); ARI less that of activations 0.50 (0.20 to 0.80).",
        "L1R, raw activations by the same protocol: 2 clusters, ARI 0.25",
        "4 features and dimensions are large in all clusters or dense, and were left out; 2 of "
        "them massive: 447 of L1R with 91 % and 447 of L2R with 91 %.",
        "With activations as they are, dimension 447 of L1R holds 99 % of what separates clusters",
        "L1R-8x: 12 features by where they fire form 2 clusters",
        "1: hair, <wig>",
    ):
        assert sentence in text, sentence
    assert page == page_of(site("L1R"), site("L2R", firm=False, p=0.6)), "same bytes"
    assert Document(page).metas["saegrid-spec"] == FACTS["spec"]


def test_features_are_links_and_dimensions_are_not(page):
    links = Document(page).links
    assert "corp%20us/cells/L1R-8x/features.html#3" in links
    assert not [link for link in links if link.endswith("#447")]
    assert "massive, everywhere" in page and "91.0\u00a0%" in page


def test_names_of_cells_are_said_once(page):
    (said,) = re.findall(r'id="cell-names">(.*?)</p>', page)
    assert "<strong>R</strong>" in said and "<strong>8x</strong>" in said


def test_names_and_texts_are_no_markup(page):
    for hostile in ("<wig>", "<b>text", "th<em>e", "st<udy"):
        assert hostile not in page.replace(FACTS["spec"], ""), hostile


def test_every_number_of_a_sentence_names_its_table(page):
    titles = page.split('class="num" title="')[1:]
    assert len(titles) > 40
    assert all(".parquet: " in title.partition('"')[0] for title in titles)


def test_without_labels_nothing_is_said_of_them():
    text = words(page_of(site("L1R", label=None)))
    assert "Texts form firm clusters by SAE codes in 1 of 1 cell." in text
    assert "purity" not in text.partition("What the numbers mean")[0] and "ARI 0.75" not in text


def test_a_large_study_does_not_make_a_large_page():
    page = page_of(*(site(f"L{layer}R") for layer in range(PARTS)))
    assert page.count('<details class="also"') == PARTS
    assert "60 more clusterings stand in" in words(page)
    heads = [(number, str(number)) for number in range(PANELS + 5)]
    assert len(panels(site("L1R").members.to_pylist(), heads, "cluster")) == PANELS
    assert panels([], heads, "cluster") == []


def test_the_site_of_a_cell_among_the_files_of_all():
    paths = [f"{name}/{one}" for name in ("L1R", "L2R") for one in SCHEMAS]
    chosen = site_of("L2R-8x", ["L1R", "L2R"], paths, lambda path: path)
    assert chosen.name == "L2R" and chosen.clusterings == "L2R/clusterings"
    assert chosen.flagged == "L2R/flagged"
    assert site_of("L2R-8x", ["L1R", "L2R"], [], None) is None


def test_the_report_has_the_clusters_of_its_cell():
    text = words(report_page(REPORT, report(clusters=site("L1R"))))
    assert "Do its features put texts of one theme together?" in text
    assert "L1R-8x with th<em>e: ARI 0.75" in text and "1: hair, <wig>" in text
    assert 'href="clusters.html"' in report_page(REPORT, report(clusters=site("L1R")))


def test_rows_are_those_of_the_tables():
    assert set(table("clusterings", []).column_names) == set(SCHEMAS["clusterings"].names)
    assert isinstance(site("L1R").members, pa.Table)
