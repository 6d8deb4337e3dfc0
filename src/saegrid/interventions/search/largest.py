"""The texts on which a feature is largest: those of the corpus, and one that gradients find."""

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from saegrid.base import io
from saegrid.base.paths import expand_all
from saegrid.base.words import Cell
from saegrid.interventions.search import SearchError
from saegrid.interventions.search.files import Cells
from saegrid.interventions.search.maximise import LENGTH, Settings, maximise
from saegrid.models import hub
from saegrid.models.load import load
from saegrid.saes.reference import open_sae
from saegrid.text import tokenizer

SHOWN = 5
"""Texts of the corpus."""


def largest(cells: Cells, feature: int, seed: int = 0) -> Iterator[str]:
    """Lines: the feature's largest activations on the corpus, and the text that gradients find."""
    (place,) = cells.places
    cells.check_model()
    codes = place.features()
    if not 0 <= feature < codes.d_sae:
        raise SearchError(f"{place.cell} has the features 0 to {codes.d_sae - 1}; got {feature}.")
    most = float(codes.of(feature)[1].max(initial=0))
    yield f"{place.cell} {feature}: largest on the corpus {most:.4g}"
    yield from _examples(cells, feature)
    named = expand_all(cells.model)
    encoder = tokenizer.load(hub.tokenizer_folder(named), named.get("bos", "auto"))
    around = [special.id for special in encoder.prefix], [special.id for special in encoder.suffix]
    begins = {"random tokens": None, "its best example": _best(cells, feature)}
    model = load(named)
    with open_sae(place.sae) as sae:
        for name, begin in begins.items():
            if name != "random tokens" and begin is None:
                continue
            text = maximise(
                model,
                Cell.parse(place.cell).site,
                sae.encoder,
                feature,
                around,
                encoder.special_ids,
                Settings(seed=seed),
                begin,
            )
            times = f", {text.z / most:.2g} times that on the corpus" if most else ""
            yield (
                f"by gradients over {len(text.ids)} tokens from {name}, {text.rounds} rounds, seed "
                f"{seed}: {text.z:.4g} at the last token{times} (at the start {text.start:.4g})"
            )
            yield f"  {encoder.tokenizer.decode(text.ids)!r}"


def _best(cells: Cells, feature: int) -> list[int] | None:
    """Token ids up to that on which the feature is largest on the corpus; None where it is
    silent."""
    index, values = cells.places[0].features().of(feature)
    if not len(values):
        return None
    table = io.read_table(cells.tokens, ["row", "special", "token_id"])
    row, special, ids = (table[name].to_numpy() for name in ("row", "special", "token_id"))
    last = int(index[np.argmax(values)])
    place = np.arange(max(0, last + 1 - LENGTH), last + 1)
    return ids[place[(row[place] == row[last]) & ~special.astype(bool)[place]]].tolist()


def _examples(cells: Cells, feature: int) -> Iterator[str]:
    """The top tokens of the corpus in their windows, the token in brackets."""
    (place,) = cells.places
    if not place.top.is_file():
        return
    names = ["feature", "example_rank", "activation", "window_tokens", "center"]
    top = io.read_table(place.top, names)
    rows = top.filter(pc.equal(top["feature"], feature)).slice(0, SHOWN).to_pylist()
    for row in rows:
        window, at = row["window_tokens"], row["center"]
        text = "".join([*window[:at], "[", window[at], "]", *window[at + 1 :]])
        yield f"  {row['activation']:.4g}  {' '.join(text.split())}"
