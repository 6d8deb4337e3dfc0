"""The texts on which a feature is largest: those of the corpus, and one that gradients find."""

from collections.abc import Iterator

import pyarrow.compute as pc

from saegrid.base import io
from saegrid.base.paths import expand_all
from saegrid.base.words import Cell
from saegrid.interventions.search import SearchError
from saegrid.interventions.search.files import Cells
from saegrid.interventions.search.maximise import Settings, maximise
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
    with open_sae(place.sae) as sae:
        text = maximise(
            load(named),
            Cell.parse(place.cell).site,
            sae.encoder,
            feature,
            around,
            encoder.special_ids,
            Settings(seed=seed),
        )
    times = f", {text.z / most:.2g} times that on the corpus" if most else ""
    spelled = encoder.tokenizer.decode(text.ids)
    yield f"by gradients over {len(text.ids)} tokens, {text.rounds} rounds, seed {seed}: " + (
        f"{text.z:.4g} at the last token{times} (random tokens at the start: pre {text.start:.4g})"
    )
    yield f"  {spelled!r}"


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
