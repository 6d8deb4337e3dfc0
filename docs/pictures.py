"""Pictures of the documents: pages of the finished embedded study, taken with Chromium.

python docs/pictures.py                     from results/toy to docs/img
python docs/pictures.py other/results/toy   from the study of another folder

Needs playwright (an extra of development) and Chromium; runs offline. Colours are reduced to 64, so
that a picture takes tens of kilobytes.
"""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
FEATURES = "headlines/cells/L15R-32x/features.html"
LARGEST = 150_000
"""Bytes that a picture may take."""
SCROLL = """start => [...document.querySelectorAll("h1, h2, h3")]
    .find(one => one.textContent.startsWith(start)).scrollIntoView()"""
"""Script that puts a heading at the top of the window."""


class Picture(NamedTuple):
    """A picture of a page."""

    name: str
    page: str
    """Path of the page in the study."""
    size: tuple[int, int]
    """Width and height of the window in pixels."""
    scheme: str = "light"
    heading: str = ""
    """Beginning of the heading that the picture begins with; empty: the top of the page."""


PICTURES = (
    Picture("feature-light", FEATURES, (1200, 750)),
    Picture("feature-dark", FEATURES, (1200, 750), "dark"),
    Picture("index", "index.html", (1000, 640), heading="Grid"),
    Picture("map", "map.html", (1200, 800), heading="Which cell"),
    Picture("findings", "findings.html", (1200, 800)),
)


def strongest(study: Path) -> int:
    """The feature of meaning with the largest share of its concept; ties by number."""
    import pyarrow.parquet as pq

    table = pq.read_table(study / FEATURES.replace("features.html", "concepts.parquet")).to_pandas()
    table = table[table.kind == "meaning"].sort_values(
        ["share", "feature"], ascending=[False, True]
    )
    return int(table.feature.iloc[0])


def reduced(path: Path) -> None:
    """Write a PNG again with 64 colours."""
    from PIL import Image

    image = Image.open(path).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        sys.exit(
            f"{path} has {path.stat().st_size:,} bytes, more than {LARGEST:,}. Make it smaller."
        )


def main(study: Path) -> None:
    """Take all pictures."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None or not (study / "index.html").is_file():
        sys.exit(f"Needs Chromium and a finished study in {study} (python3 make.py toy).")
    (HERE / "img").mkdir(exist_ok=True)
    feature = strongest(study)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for picture in PICTURES:
            width, height = picture.size
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=picture.scheme,
                reduced_motion="reduce",  # pages would be taken while they scroll
            )
            context.set_offline(True)
            page = context.new_page()
            mark = f"#{feature}" if picture.page == FEATURES else ""
            page.goto((study / picture.page).resolve().as_uri() + mark)
            page.wait_for_timeout(1000)
            if picture.heading:
                page.evaluate(SCROLL, picture.heading)
                page.wait_for_timeout(500)
            path = HERE / "img" / f"{picture.name}.png"
            page.screenshot(path=path)
            context.close()
            reduced(path)
            print(path)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/toy"))
