"""The results of a study as data frames: `saegrid.open("toy").cell("L15R-32x").feature(1216)`.

Files are read when they are needed; for a feature only its own rows are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors

from saegrid.base import io
from saegrid.base.registry import nearest
from saegrid.base.words import Cell
from saegrid.features.density import counted
from saegrid.features.histogram import histogram
from saegrid.features.shares import Spelled
from saegrid.interventions.search import TOP
from saegrid.interventions.search.files import Cells, Place
from saegrid.text.selection import kept_of

if TYPE_CHECKING:
    import pandas as pd  # slow to import: where a frame is asked for


class NotThere(LookupError):
    """An error of a request for results that a study does not hold; the message says what it holds,
    or how to make them."""


def open(study: str | Path, results: str | Path = "results", corpus: str | None = None) -> Study:
    """Open the results of a study.

    Args:
        study: name of the study, a folder of `results`, or the path of its folder.
        results: folder of the studies.
        corpus: name of a corpus of the study; by default the one of role `main` in config.json, or
            the only one that has cells.

    Raises:
        NotThere: there is no such study or corpus.
    """
    folder = Path(study) if isinstance(study, Path) else Path(results) / study
    if not folder.is_dir() and Path(study).is_dir():
        folder = Path(study)
    if not folder.is_dir():
        known = _folders(folder.parent)
        _missing(f"There is no study {folder.name!r} in {folder.parent}.", folder.name, known)
    return Study(folder, corpus)


class Study:
    """The results of a study on one of its corpora."""

    def __init__(self, folder: str | Path, corpus: str | None = None) -> None:
        self.folder = Path(folder)
        self.name = self.folder.name
        known = self.corpora
        self.corpus_name = self._main() if corpus is None else corpus
        if self.corpus_name not in known:
            _missing(
                f"Study {self.name} has no corpus {self.corpus_name!r}.", self.corpus_name, known
            )
        self.corpus_folder = self.folder / self.corpus_name

    def __repr__(self) -> str:
        return f"Study({self.name}, corpus {self.corpus_name}, {len(self._cells)} cells)"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config with versions; empty if there is no config.json."""
        path = self.folder / "config.json"
        return io.read_json(path) if path.is_file() else {}

    @property
    def corpora(self) -> list[str]:
        """The names of the corpora that have been read."""
        return [
            name
            for name in _folders(self.folder)
            if (self.folder / name / "items.parquet").is_file()
        ]

    def _main(self) -> str:
        roles = {name: entry.get("role") for name, entry in self.config.get("corpora", {}).items()}
        main = [name for name, role in roles.items() if role == "main"]
        if not main:
            main = [name for name in self.corpora if (self.folder / name / "cells").is_dir()]
        if len(main) != 1:
            raise NotThere(
                f"{self.folder} must have one corpus of role main in config.json, or one corpus "
                f"with cells; got {', '.join(main) or 'none'}. Name one: open(..., corpus=...)."
            )
        return main[0]

    @property
    def _cells(self) -> list[Cell]:
        folder = self.corpus_folder / "cells"
        names = [p.parent.name for p in folder.glob("*/features.parquet")]
        return sorted((Cell.parse(name) for name in names), key=lambda c: (*c.site, c.sae))

    @property
    def cells(self) -> pd.DataFrame:
        """The cells, one row each: layer, position, sae, n_active (features active on a counted
        token)."""
        import pandas as pd

        rows = [
            {
                "cell": str(cell),
                "layer": cell.site.layer,
                "position": cell.site.position,
                "sae": cell.sae,
                "n_active": pq.read_metadata(self._cell_folder(cell) / "features.parquet").num_rows,
            }
            for cell in self._cells
        ]
        columns = ["cell", "layer", "position", "sae", "n_active"]
        return pd.DataFrame(rows, columns=columns).set_index("cell")

    def _cell_folder(self, cell: Cell | str) -> Path:
        return self.corpus_folder / "cells" / str(cell)

    def cell(self, name: str | Cell) -> CellView:
        """The view of one cell; NotThere if it has no results."""
        known = [str(cell) for cell in self._cells]
        if str(name) not in known:
            about = f"Study {self.name} has no cell {str(name)!r} on corpus {self.corpus_name}."
            _missing(about, str(name), known)
        return CellView(self, str(name))

    def searched(self, cells: Sequence[str] | None = None) -> Cells:
        """The files that a search of some cells reads, of all by default; NotThere where the study
        lacks one, or has none."""
        for name in cells or ():
            self.cell(name)
        names = list(cells or map(str, self._cells))
        if not names:
            raise NotThere(
                f"Study {self.name} has no cells on corpus {self.corpus_name}, and a search reads "
                "their codes. Make them with snakemake's target cells of this study."
            )
        folders = [(name, self._cell_folder(name)) for name in names]
        places = [
            Place(
                name,
                folder / "features.safetensors",
                folder / "top_tokens.parquet",
                self.folder / "saes" / name,
            )
            for name, folder in folders
        ]
        corpus = self.config.get("corpora", {}).get(self.corpus_name, {})
        return Cells(
            self.corpus_folder / "tokens.parquet",
            places,
            self.config.get("model", {}),
            corpus.get("special_tokens") == "parse",
            self.config.get("threads", {}).get("capture", 1),
        )

    def find(
        self,
        texts: str | Sequence[str],
        without: Sequence[str] = (),
        by: str | None = None,
        cells: Sequence[str] | None = None,
        top: int = TOP,
    ) -> pd.DataFrame:
        """The features that a word or a prompt makes fire, over all cells, the best first.

        Args:
            texts: a text, or several that are searched for one by one.
            without: texts that they are held against: what is asked for is in the first alone.
            by: `word` (stored codes, no model) or `prompt` (through the model); by default a single
                word by word, whatever is longer or has texts without by prompt.
            cells: names of the cells; by default all.
            top: features of each text.

        Raises:
            NotThere, SearchError: there is nothing to search in, or for.
        """
        from saegrid.interventions.search.ranking import queries

        asked = queries([texts] if isinstance(texts, str) else texts, without, by)
        if asked and asked[0].by == "word":
            from saegrid.interventions.search.by_word import by_word

            return by_word(asked, self.searched(cells), top).to_pandas()
        from saegrid.interventions.search.by_prompt import by_prompt

        return by_prompt(asked, self.searched(cells), top, say=print).table.to_pandas()

    @cached_property
    def corpus(self) -> pd.DataFrame:
        """The items, one row each: texts, labels, and `kept`, True where the filter keeps the
        item."""
        items = _read(self.corpus_folder / "items.parquet").to_pandas().set_index("item")
        kept = _read(self.corpus_folder / "selection.parquet").to_pandas().set_index("item")
        return items.join(kept)

    def tokens(self, item: int | str) -> pd.DataFrame:
        """The tokens of an item's texts by token index, of the edited side and then of the
        original.

        item: number or id of the item; NotThere if the corpus has no such item.
        """
        if isinstance(item, str):
            ids = self.corpus["id"].astype(str)
            if item not in set(ids):
                _missing(f"Corpus {self.corpus_name} has no item of id {item!r}.", item, list(ids))
            item = int(ids.index[ids == item][0])
        elif item not in self.corpus.index:
            count = len(self.corpus)
            raise NotThere(f"Corpus {self.corpus_name} has the items 0 to {count - 1}; got {item}.")
        tokens = self.token_table
        original = (tokens["side"] == "original") & (tokens["group"] == self.corpus["group"][item])
        return tokens[(tokens["item"] == item) | original]

    @cached_property
    def token_table(self) -> pd.DataFrame:
        """The tokens, one row a model input position; the index is the token index."""
        return self._tokens.to_pandas().rename_axis("token_index")

    @cached_property
    def _tokens(self) -> Any:
        return _read(self.corpus_folder / "tokens.parquet")

    @cached_property
    def _kept(self) -> np.ndarray:
        return kept_of(str(self.corpus_folder / "selection.parquet"))


class CellView:
    """The results of one cell, a site and an SAE."""

    def __init__(self, study: Study, name: str) -> None:
        self.study, self.name = study, name
        self.folder = study.corpus_folder / "cells" / name

    def __repr__(self) -> str:
        return f"CellView({self.study.name} {self.name}, {len(self.features)} active features)"

    @cached_property
    def features(self) -> pd.DataFrame:
        """The active features, one row each, by rank; the index is the feature."""
        return self._table("features").set_index("feature")

    @property
    def concepts(self) -> pd.DataFrame:
        """The judgement of features: a row for each that fires on words enough."""
        return self._table("concepts").set_index("feature")

    @cached_property
    def d_sae(self) -> int:
        """The number of features, active or not."""
        return int(io.read_header(self._sparse)["d_sae"])

    @property
    def _sparse(self) -> Path:
        path = self.folder / "features.safetensors"
        return path if path.is_file() else _not_made(path)

    def _table(self, name: str, feature: int | None = None) -> pd.DataFrame:
        """A table of the cell, or the rows of one feature."""
        path = self.folder / f"{name}.parquet"
        filters = None if feature is None else [("feature", "==", feature)]
        return _read(path, filters).to_pandas()

    @cached_property
    def _masked(self) -> np.ndarray:
        """(token,) bool: True where features are counted."""
        captured = io.read_tensors(self._sparse, ["token"])["token"]
        return counted(self.study._tokens, self.study._kept, captured).masked

    def feature(self, feature: int) -> FeatureView:
        """The view of one feature; NotThere if the SAE has no such feature, or it is not active."""
        known = self.features.index.to_numpy()
        if not 0 <= feature < self.d_sae:
            raise NotThere(f"{self.name} has the features 0 to {self.d_sae - 1}; got {feature}.")
        if feature not in known:
            near = np.sort(known[np.argsort(np.abs(known - feature), kind="stable")[:2]])
            raise NotThere(
                f"Feature {feature} of {self.name} is not active on any counted token of "
                f"{self.study.corpus_name} ({len(known):,} of {self.d_sae:,} features are). "
                f"Nearest active ones: {', '.join(map(str, near)) or 'none'}."
            )
        return FeatureView(self, int(feature))


class FeatureView:
    """The results of one feature of a cell, those of its page."""

    def __init__(self, cell: CellView, feature: int) -> None:
        self.cell, self.id = cell, feature

    def __repr__(self) -> str:
        row = self.summary
        return (
            f"FeatureView({self.cell.name} {self.id}, density {row['density']:.3%}, "
            f"max {row['max_activation']:.3f})"
        )

    @property
    def summary(self) -> pd.Series:
        """The densities, counts and rank of the feature."""
        return self.cell.features.loc[self.id]

    @property
    def top_tokens(self) -> pd.DataFrame:
        """The top tokens of the feature; without rows if its density is below the cut."""
        return self._rows("top_tokens")

    @property
    def examples(self) -> pd.DataFrame:
        """The random examples of the feature and those of the fifths, by column `group`."""
        return self._rows("examples")

    @property
    def logits(self) -> pd.DataFrame:
        """The tokens that the feature's direction raises and lowers most."""
        return self._rows("logit_effects")

    @property
    def concept(self) -> pd.Series:
        """The judgement of the feature; empty where it fires on too few words to be judged."""
        import pandas as pd

        rows = self._rows("concepts")
        return rows.iloc[0] if len(rows) else pd.Series(dtype=object)

    @cached_property
    def activations(self) -> pd.Series:
        """The activations of the feature on the counted tokens, by token index."""
        import pandas as pd

        with safetensors.safe_open(str(self.cell._sparse), framework="numpy") as file:
            start, stop = file.get_slice("indptr")[self.id : self.id + 2].tolist()
            index = file.get_slice("indices")[start:stop]
            values = file.get_slice("data")[start:stop]
        masked = self.cell._masked[index]
        name = pd.Index(index[masked], name="token_index")
        return pd.Series(values[masked], index=name, name="activation")

    @property
    def tokens(self) -> pd.DataFrame:
        """The tokens that it fires on by their spelling without blanks, the commonest first: count,
        and share of its activations on the counted tokens. The counts add up to n_active."""
        import pandas as pd

        index = self.activations.index.to_numpy()
        spelled = Spelled.of(self.cell.study._tokens["text"].take(pa.array(index)))
        counts = np.bincount(spelled.code, minlength=len(spelled.names))
        table = pd.DataFrame({"token": spelled.names.to_pylist(), "count": counts})
        table = table.sort_values(["count", "token"], ascending=[False, True])
        return table.assign(share=table["count"] / len(index)).set_index("token")

    @property
    def histogram(self) -> pd.DataFrame:
        """A histogram of the feature's activations in fifty bins: left, right, count; the counts
        add up to n_active."""
        import pandas as pd

        edges, counts = histogram(self.activations.to_numpy())
        return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "count": counts})

    def _rows(self, name: str) -> pd.DataFrame:
        rows = self.cell._table(name, self.id)
        return rows.drop(columns="feature").reset_index(drop=True)


def _folders(folder: Path) -> list[str]:
    """The names of the folders in a folder."""
    return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def _missing(what: str, name: str, known: list[str]) -> NoReturn:
    """Raise NotThere with the nearest spelling and some known names."""
    shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    raise NotThere(f"{what}{nearest(name, known)} Known: {shown or 'none'}.")


def _not_made(path: Path) -> NoReturn:
    raise NotThere(f"{path} is not there. Make it with snakemake's target cells of this study.")


def _read(path: Path, filters: list[tuple[str, str, int]] | None = None) -> Any:
    """The rows of a parquet file that pass the filters; NotThere if it was not made."""
    if not path.is_file():
        _not_made(path)
    return pq.read_table(path, filters=filters, partitioning=None)
