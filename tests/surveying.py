"""A small survey: two corpora at two sites, with dimensions that stand out."""

import numpy as np
import pyarrow as pa

from saegrid.base import io
from saegrid.metrics.survey.base_rates import base_rates
from saegrid.metrics.survey.layers import survey
from saegrid.pages.browser.survey import survey_page
from saegrid.pages.figures import SURVEY_FIGURES, captions
from saegrid.pages.figures.surveyed import Surveyed

FACTS = {"study": "st<udy", "model": "m&m", "spec": '{"a": "<b>"}', "cut": 6.0}


def surveyed(folder, d_model=48, sites=("L0R", "L2A"), corpora=("jokes", "news <b>"), n=300):
    """Two corpora at two sites; dimension 7 has a far mean in all, 11 a far deviation in one."""
    rng, parts = np.random.default_rng(0), []
    for corpus in corpora:
        for site in sites:
            x = rng.normal(size=(n, d_model)).astype(np.float32)
            x[:, 7] += 80
            if corpus == "jokes":
                x[:, 11] *= 40
            file = folder / f"{len(parts)}.safetensors"
            io.write_tensors(file, {"x": x, "token": np.arange(n)}, "s")
            parts.append({"corpus": corpus, "site": site, "files": [str(file)]})
    return survey(parts, 6.0)


def drawn_from(found):
    """The tables from which the figures are drawn."""
    return Surveyed(found.layers, found.dimensions, found.passes)


RATES = base_rates(["a cat", "a dog and a cat"], {"animals": ["cat", "dog"]})


def page_of(found, rates=RATES):
    topics = pa.Table.from_pylist([{"corpus": "jokes", **row} for row in rates]) if rates else None
    tables = found.layers, found.dimensions, found.pairs, topics
    return survey_page(FACTS, *tables, captions(SURVEY_FIGURES))
