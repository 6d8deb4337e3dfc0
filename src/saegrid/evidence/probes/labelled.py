"""Texts of two classes with one vector each, as probes, tests and localisation read them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy import sparse

from saegrid.base import io
from saegrid.base.tensors import open_tensors
from saegrid.evidence.contrast import Unusable, main_view
from saegrid.evidence.probes.problem import Split, folds
from saegrid.evidence.probes.selection import Matrix
from saegrid.evidence.texts import View, texts
from saegrid.text.corpora.carried import PLACE

SCHEMA = pa.schema(
    [
        ("item", pa.int32()),
        ("text", pa.string()),
        ("label", pa.string()),
        ("y", pa.float64()),
        ("type", pa.int32()),
        ("n_tokens", pa.int32()),
        ("fold", pa.int32()),
        ("token", pa.list_(pa.int64())),
    ]
)
"""One row a text: its item, what is shown of it, its class and 1 or 0 for it, its word type, its
tokens, and the fold in which it is predicted."""
NAMED = 5
"""Texts that a message names."""


class Words(NamedTuple):
    """Texts of two classes."""

    text: list[str]
    """(text,) the words themselves, also where they stand in a sentence."""
    y: np.ndarray
    """(text,) float64: 1 for the second class, 0 for the first."""
    classes: tuple[str, str]
    """Names of the classes 0 and 1."""
    type: np.ndarray
    """(text,) int64 word types: texts of one type are in one fold and are drawn together."""
    n_tokens: np.ndarray
    """(text,) int64 real tokens."""
    fold: np.ndarray
    """(text,) int64."""


class Described(NamedTuple):
    """A description of the texts by numbers, in one convention."""

    representation: str
    """x, pca, codes or random."""
    site: str
    cell: str | None
    """The cell whose codes these are; of random directions the one whose size and L0 they have."""
    convention: str
    columns: Matrix | Callable[[Split], Matrix]
    """(text, unit) numbers; a function of a split where they are fitted on its training texts."""
    x_hat: np.ndarray | None = None
    """(text, channel) float32 reconstruction of x by a cell, from codes; None of others."""


# --- the texts ------------------------------------------------------------------------------


def words(
    tables: Sequence[pa.Table],
    kept: np.ndarray,
    unknown: Sequence[int],
    settings: Mapping[str, Any],
) -> tuple[pa.Table, dict[str, Any]]:
    """The labelled texts of a corpus as a table (`SCHEMA`), and facts: names of the classes, label,
    and texts that are left out, by reason.

    tables: items, tokens and spans of the corpus; kept: (item,) bool; unknown: token ids that stand
    for what the vocabulary does not have; settings: corpus, label, classes, type, folds, seed,
    carried (the texts are words in sentences, of which the words' tokens alone count). Unusable
    where the texts cannot answer. Prints what is left out.
    """
    items, tokens, spans = tables
    every = texts(items, tokens, spans)
    label = [_name(value) for value in items[settings["label"]].to_pylist()]
    classes = _classes(label, kept, settings)
    view = every.views[main_view(every)]
    token = _tokens(view, every.n)
    if settings["carried"]:
        token = carried(items, tokens, token)
    chosen = [i for i in np.flatnonzero(kept).tolist() if label[i] in classes]
    ids = tokens["token_id"].to_numpy()
    blank = [i for i in chosen if not len(token[i])]
    unspelled = [i for i in chosen if len(token[i]) and np.isin(ids[token[i]], unknown).all()]
    lost = {*blank, *unspelled}
    chosen = [i for i in chosen if i not in lost]
    shown = items[settings["type"] or ("word" if settings["carried"] else "edited")].to_pylist()
    if not chosen and lost:
        raise Unusable(
            f"corpora.{settings['corpus']}: the tokenizer spells none of {len(lost)} labelled "
            f"texts ({_few(shown, lost)}): it has unknown tokens for them, or none. Take a model "
            "that knows their language, or other texts."
        )
    names = [" ".join(str(shown[i]).casefold().split()) for i in chosen]
    known = {name: number for number, name in enumerate(sorted(set(names)))}
    kind = np.array([known[name] for name in names], np.int64)
    y = np.array([float(label[i] == classes[1]) for i in chosen])
    _check(y, kind, classes, settings)
    columns = {
        "item": chosen,
        "text": [str(shown[i]).strip() for i in chosen],
        "label": [label[i] for i in chosen],
        "y": y,
        "type": kind,
        "n_tokens": [len(token[i]) for i in chosen],
        "fold": _folds(kind, y, settings),
        "token": [token[i] for i in chosen],
    }
    without = {"no token": blank, "unknown tokens only": unspelled}
    left_out = {why: [str(shown[i]) for i in several] for why, several in without.items()}
    left_out = {why: several for why, several in left_out.items() if several}
    for why, several in left_out.items():
        print(f"left out, {why}: {', '.join(several)}")
    facts = {"label": settings["label"], "classes": list(classes), "left_out": left_out}
    return pa.table(columns, SCHEMA), facts


def _name(value: Any) -> str | None:
    """A label as a name: numbers without a needless point."""
    return f"{value:g}" if isinstance(value, float) else value


def _classes(
    label: Sequence[str | None], kept: np.ndarray, settings: Mapping[str, Any]
) -> tuple[str, str]:
    """The names of the classes 0 and 1; Unusable where there are not two."""
    present = sorted({label[i] for i in np.flatnonzero(kept).tolist() if label[i] is not None})
    key, column = "analyses.readout", settings["label"]
    if settings["classes"] is None:
        if len(present) != 2:
            named = ", ".join(repr(name) for name in present[:NAMED]) or "nothing"
            raise Unusable(
                f"{key}.label: {column} must have two classes; in {settings['corpus']} it has "
                f"{len(present)} ({named}). Name a column with two, or the two under "
                f"{key}.classes."
            )
        return present[0], present[1]
    first, second = settings["classes"]
    for name in (first, second):
        if name not in present:
            raise Unusable(
                f"{key}.classes: no text of {settings['corpus']} has {column} {name!r}; there are "
                f"{', '.join(map(repr, present[:NAMED]))}. Mend the name."
            )
    return first, second


def _few(shown: Sequence[Any], items: set[int]) -> str:
    """The first of some texts, and that there are more."""
    first = ", ".join(repr(str(shown[i])) for i in sorted(items)[:NAMED])
    return first + (", ..." if len(items) > NAMED else "")


def _tokens(view: View, n: int) -> list[np.ndarray]:
    """The tokens of each item, ascending."""
    order = np.lexsort((view.token, view.item))
    counts = np.bincount(view.item, minlength=n)
    return np.split(view.token[order], np.cumsum(counts)[:-1])


def carried(items: pa.Table, tokens: pa.Table, token: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The tokens of the word of each sentence: those with a letter of it, at its place in the
    template. Unusable where tokens do not spell the sentence."""
    pieces = tokens["text"].to_pylist()
    columns = (items[name].to_pylist() for name in ("edited", "word", "template"))
    out = []
    for number, (text, word, template) in enumerate(zip(*columns, strict=True)):
        own = token[number]
        spelled = [pieces[index] for index in own]
        if len(own) and "".join(spelled) != text:
            raise Unusable(
                f"corpora: the tokens of {text!r} spell {''.join(spelled)!r}, so that its word "
                "cannot be told from the others. Take `special_tokens: plain` and strip: both."
            )
        first = template.index(PLACE)
        stops = np.cumsum([len(piece) for piece in spelled])
        starts = stops - [len(piece) for piece in spelled]
        out.append(own[(stops > first) & (starts < first + len(word))] if len(own) else own)
    return out


def _check(
    y: np.ndarray, kind: np.ndarray, classes: Sequence[str], settings: Mapping[str, Any]
) -> None:
    """Unusable where a class has too few word types."""
    for value, name in enumerate(classes):
        n = len(np.unique(kind[y == value]))
        if n < settings["folds"]:
            raise Unusable(
                f"analyses.readout.label: {settings['label']} {name!r} has {n} word "
                f"type{'s' if n != 1 else ''} in {settings['corpus']}; at least "
                f"{settings['folds']} are needed for {settings['folds']} folds. Name more texts of "
                "it, or set fewer folds."
            )


def _folds(kind: np.ndarray, y: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """(text,) int folds of whole word types; Unusable where a fold would have one class."""
    try:
        return folds(kind, y, settings["folds"], settings["seed"], "readout")
    except Unusable:
        raise Unusable(
            f"analyses.readout.folds: {settings['folds']} folds are too many for "
            f"{len(np.unique(kind))} word types, {int(y.sum())} of {len(y)} texts in one class. "
            "Set fewer folds, or name more texts."
        ) from None


def read_words(path: str) -> Words:
    """The texts of a table."""
    table = io.read_table(path)
    columns = {name: table[name].to_numpy() for name in ("y", "type", "n_tokens", "fold")}
    label = table["label"].to_pylist()
    names = [next(n for n, v in zip(label, columns["y"], strict=True) if v == k) for k in (0, 1)]
    whole = {name: columns[name].astype(np.int64) for name in ("type", "n_tokens", "fold")}
    return Words(table["text"].to_pylist(), columns["y"], (names[0], names[1]), **whole)


# --- descriptions ---------------------------------------------------------------------------


def described(files: Any, settings: Mapping[str, Any]) -> Iterator[Described]:
    """The descriptions of a site and its cells: for each convention x, its principal components,
    the codes of each cell, and codes in random directions, as far as they are asked for.

    files: paths `vectors` of the site, and `codes` of its cells; settings: site, cells (in the
    order of `codes`), vectors, representations, seed. Random directions stand once for each width
    of the cells, with the L0 of the first cell of it.
    """
    wanted, site = settings["representations"], settings["site"]
    tensors = open_tensors(files.vectors).arrays
    coded = [open_tensors(path).arrays for path in files.codes]
    for convention in settings["vectors"]:
        x = np.asarray(tensors[f"x/{convention}"])
        if "x" in wanted:
            yield Described("x", site, None, convention, x.astype(np.float64))
        if "pca" in wanted:
            yield Described("pca", site, None, convention, _components(x))
        seen: set[int] = set()
        for cell, arrays in zip(settings["cells"], coded, strict=True):
            z, x_hat = read_codes(arrays, convention)
            if "codes" in wanted:
                yield Described("codes", site, cell, convention, z, x_hat)
            if "random" in wanted and z.shape[1] not in seen:
                seen.add(z.shape[1])
                random = random_codes(x, z, settings["seed"])
                yield Described("random", site, cell, convention, random)


def read_codes(
    arrays: Mapping[str, np.ndarray], convention: str
) -> tuple[sparse.csc_matrix, np.ndarray | None]:
    """Codes (text, feature) float64 of a cell in a convention, and x_hat (text, channel) float32;
    None of a transcoder, which reconstructs another site."""
    parts = [arrays[f"codes/{convention}/{name}"] for name in ("data", "indices", "indptr")]
    shape = (len(parts[2]) - 1, int(arrays["d_sae"][0]))
    codes = sparse.csr_matrix((parts[0].astype(np.float64), *parts[1:]), shape=shape)
    x_hat = arrays.get(f"x_hat/{convention}")
    return codes.tocsc(), None if x_hat is None else np.asarray(x_hat)


def random_codes(x: np.ndarray, codes: sparse.csc_matrix, seed: int) -> sparse.csc_matrix:
    """(text, direction) float64 codes in as many random directions as there are features, products
    with x less its mean, the k largest positive ones of a text, k the mean number of features that
    are active on one."""
    from saegrid.metrics.baselines.dictionary import TILE, largest_products
    from saegrid.metrics.decoder import random_rows

    rows = random_rows(codes.shape[1], x.shape[1], seed)
    k = max(1, round(codes.nnz / max(len(x), 1)))
    centred = x.astype(np.float64) - x.astype(np.float64).mean(axis=0)
    parts = []
    for start in range(0, len(x), TILE):
        part = centred[start : start + TILE]
        tile = np.zeros((TILE, x.shape[1]))
        tile[: len(part)] = part  # tiles of one shape, whose products have the same last digits
        parts.append(largest_products(tile, rows, k)[: len(part)])
    return sparse.csc_matrix(sparse.vstack(parts))


def _components(x: np.ndarray) -> Callable[[Split], np.ndarray]:
    from saegrid.evidence.probes.representations.pca import components

    wide = x.astype(np.float64)
    return lambda split: components(wide, split.train)
