"""The results of a study on one of its corpora."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from saegrid.base import io
from saegrid.base.words import Cell
from saegrid.interventions.search.files import Cells, Place
from saegrid.study.cell import CellView
from saegrid.study.compared import MOST, Comparison, compare
from saegrid.study.encoded import EncodedTexts, encode
from saegrid.study.files import NotThere, folders, missing, read
from saegrid.text.selection import kept_of

if TYPE_CHECKING:
    import pandas as pd  # slow to import: where a frame is asked for


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
    return Study(folder_of(study, results), corpus)


def folder_of(study: str | Path, results: str | Path = "results") -> Path:
    """The folder of a study by its name or path; NotThere where there is none."""
    folder = Path(study) if isinstance(study, Path) else Path(results) / study
    if not folder.is_dir() and Path(study).is_dir():
        folder = Path(study)
    if not folder.is_dir():
        known = folders(folder.parent)
        missing(f"There is no study {folder.name!r} in {folder.parent}.", folder.name, known)
    return folder


class Study:
    """The results of a study on one of its corpora."""

    def __init__(self, folder: str | Path, corpus: str | None = None) -> None:
        self.folder = Path(folder)
        self.name = self.folder.name
        known = self.corpora
        self.corpus_name = self._main() if corpus is None else corpus
        if self.corpus_name not in known:
            missing(
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
            for name in folders(self.folder)
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
    def n_planned(self) -> int:
        """Number of cells of the grid in config.json, each once; 0 where there is none, or where
        the corpus is not the main one, which alone has all of them."""
        config = self.config
        if config.get("corpora", {}).get(self.corpus_name, {}).get("role") != "main":
            return 0
        grid = config.get("grid", [])
        blocks = config.get("grids", {}).get(grid, []) if isinstance(grid, str) else grid
        known = config.get("saes", {})
        cells = {
            (layer, position.upper(), sae)
            for block in blocks
            for layer, position in product(block["layers"], block["positions"])
            for sae in block["saes"]
            if sae in known
        }
        return len(cells)

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
            missing(about, str(name), known)
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
        top: int | None = None,
        per_cell: bool = False,
    ) -> pd.DataFrame:
        """The features of all cells that a word or a prompt stands for, one table, the best first.

        A single word is looked up in the texts on which features fire (kind `word`, score F1), in
        the concepts that features are about (`concept`, score the share of their strongest words
        that belong to it), in names (`name`, score their balanced accuracy in telling texts) and in
        people's labels (`label`, without a score, behind all others). All scores lie between 0 and
        1; that of a prompt (kind `prompt`, `pair`) is activation / 99th percentile x idf. `rank`
        counts from 1 for each text; columns that a kind does not have are empty.

        Args:
            texts: a text, or several that are searched for one by one.
            without: texts that they are held against: what is asked for is in the first alone.
            by: `word` (stored codes), `concept`, `name`, `label` (tables of the cells), or `prompt`
                (through the model, which alone needs one); by default a single word by the first
                four, whatever is longer or has texts without by prompt.
            cells: names of the cells; by default all.
            top: features of each text; by default 10, or with `per_cell` 1.
            per_cell: the best features of each cell, the best cell first, not those of all
                together; a cell where nothing answers has no row.

        Raises:
            NotThere, SearchError: there is nothing to search in, or for.
        """
        from saegrid.interventions.search.ranking import of_each
        from saegrid.study.finding import find

        several = [texts] if isinstance(texts, str) else texts
        return find(self, several, without, by, cells, of_each(top, per_cell), per_cell)

    def compare(
        self, one: str | CellView, other: str | CellView, most: int = MOST, seed: int = 0
    ) -> Comparison:
        """The features of two cells held against each other by decoder directions and by firings.

        Args:
            one, other: cells of this study by name, or views of cells of any study.
            most: features of each cell that are held against each other, the densest.
            seed: of the shuffled channels that say what chance gives.

        Raises:
            NotThere: a cell is not there, or has no weights.
            Incomparable: the decoders write different numbers of channels.
        """
        views = [self.cell(name) if isinstance(name, str) else name for name in (one, other)]
        return compare(*views, most=most, seed=seed)

    def encode(self, texts: str | Sequence[str], cell: str | CellView) -> EncodedTexts:
        """The codes of own texts in a cell: the model runs once, as far as the cell's layer.

        A text of the corpus gets the codes that the pipeline stored, to the last bit, where it was
        laid out as a row of its own.

        Raises:
            NotThere: the cell is not there, or has no weights.
            SearchError: a text has no token of its own or more than the model takes, or config.json
                names no model.
        """
        view = self.cell(cell) if isinstance(cell, str) else cell
        return encode(view, [texts] if isinstance(texts, str) else list(texts))

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The numbers of each cell, one row a cell, as on the index page: summary.parquet."""
        return read(self.folder / "summary.parquet", target="pages").to_pandas().set_index("cell")

    @cached_property
    def corpus(self) -> pd.DataFrame:
        """The items, one row each: texts, labels, and `kept`, True where the filter keeps the
        item."""
        items = read(self.corpus_folder / "items.parquet").to_pandas().set_index("item")
        kept = read(self.corpus_folder / "selection.parquet").to_pandas().set_index("item")
        return items.join(kept)

    def tokens(self, item: int | str) -> pd.DataFrame:
        """The tokens of an item's texts by token index, of the edited side and then of the
        original.

        item: number or id of the item; NotThere if the corpus has no such item.
        """
        if isinstance(item, str):
            ids = self.corpus["id"].astype(str)
            if item not in set(ids):
                missing(f"Corpus {self.corpus_name} has no item of id {item!r}.", item, list(ids))
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
        return read(self.corpus_folder / "tokens.parquet")

    @cached_property
    def _kept(self) -> np.ndarray:
        return kept_of(str(self.corpus_folder / "selection.parquet"))
