"""A picture of rows in the plane: their first two components, or UMAP."""

import numpy as np


def picture(rows: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """(row, 2) float64 places. rows: (row, component) reduced; kind: svd or umap, which preserves
    who is near to whom and not how far; Unusable where umap-learn is missing."""
    if kind == "umap":
        return _umap(rows, seed)
    place = np.zeros((len(rows), 2))
    width = min(2, rows.shape[1])
    place[:, :width] = rows[:, :width]
    return place


def _umap(rows: np.ndarray, seed: int) -> np.ndarray:
    from saegrid.evidence.contrast import Unusable

    try:
        from umap import UMAP
    except ImportError:
        raise Unusable(
            "analyses.clusters.picture: umap needs the package umap-learn, which is not installed. "
            "Install it, or set picture: svd."
        ) from None
    neighbours = min(15, len(rows) - 1)
    model = UMAP(n_components=2, n_neighbors=neighbours, random_state=seed, n_jobs=1)
    return np.asarray(model.fit_transform(rows), np.float64)
