"""The page of the map over 150 made-up cells of 9,500 judged features: its size, how long Chromium
takes to open it and to answer a search, and the CPU seconds of the page's process, which another
load on the machine does not lengthen as much."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from charting import grid, page_of
from saegrid.pages.browser.searched import MOST

QUERIES = ("", "a", "hair", "hair wig", "starts with a", "L31R-32x", "#1216", "concept7 meaning")
CONCEPTS = [
    (lexicon, f"{lexicon[:2]}.concept{i}")
    for lexicon, n in (("english", 10), ("wordnet", 39), ("categories", 30))
    for i in range(n)
]


def made(layers: int, features: int, some: float, most: int) -> str:
    """The page of such a study."""
    cells = grid(range(7, 7 + layers), "RAM", ("8x", "32x"), features, some, 8000, CONCEPTS,
                 frozen=False)  # fmt: skip
    print(f"{len(cells)} cells of {features:,} features")
    start = time.process_time()
    page = page_of(cells, most=most)
    print(f"made in {time.process_time() - start:.1f} CPU s: {len(page) / 1e6:.2f} MB")
    return page


def seconds(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def renderers() -> set[int]:
    """Processes of this user that draw pages."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"--type=renderer" in path.read_bytes():
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=25)
    parser.add_argument("--features", type=int, default=9500)
    parser.add_argument("--some", type=float, default=0.1, help="share that is of any kind")
    parser.add_argument("--most", type=int, default=MOST)
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "map.html"
        path.write_text(made(asked.layers, asked.features, asked.some, asked.most))
        browser = playwright.chromium.launch(executable_path=chromium)
        opened, cpu, answers = [], [], {query: [] for query in QUERIES}
        for _ in range(asked.repeat):
            before = renderers()
            tab = browser.new_page(viewport={"width": 1400, "height": 900})
            tab.goto(path.as_uri())
            tab.wait_for_selector("body[data-searchable]", timeout=120_000)
            opened.append(float(tab.evaluate("document.body.dataset.searchable")))
            new = renderers() - before
            cpu.append(sum(seconds(pid) for pid in new))
            for query in QUERIES:
                tab.locator("#search").fill(query)
                answers[query].append(float(tab.evaluate("document.body.dataset.took")))
            tab.close()
        browser.close()
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"opened: {min(opened):.0f} ms at best, {sorted(opened)[len(opened) // 2]:.0f} in the "
          f"median; {min(cpu):.2f} CPU s of the page")  # fmt: skip
    for query, took in answers.items():
        print(
            f"{query!r:22} {min(took):6.1f} ms at best, {sorted(took)[len(took) // 2]:6.1f} median"
        )


if __name__ == "__main__":
    main()
