"""Pages that open offline: `page.page` is the feature browser of a cell, `index.index` the grid.

Both return the text of one HTML file and read nothing but tables; `io.write_text` writes it. Text
from a corpus travels as compressed data and reaches the document as text, never as markup.
"""

SECTIONS: dict[str, str] = {
    "probes": "saegrid.pages.browser.probed_scores:section",
    "units": "saegrid.pages.browser.probed_units:section",
    "localisation": "saegrid.pages.browser.probed_localisation:section",
    "published": "saegrid.pages.browser.probed_published:section",
}
"""Sections of the page of a readout in their order, each a function, see `probed.Build`."""
