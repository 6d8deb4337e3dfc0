"""The results of a study as data frames: `saegrid.open("toy").cell("L15R-32x").feature(1216)`.

Files are read when they are needed; for a feature only its own rows are. Ranks count from 1 here,
as on the pages; in the files they count from 0.
"""

from saegrid.study.cell import CellView
from saegrid.study.compared import Comparison, Incomparable
from saegrid.study.encoded import EncodedTexts
from saegrid.study.feature import FeatureView
from saegrid.study.files import NotThere
from saegrid.study.study import Study, open
from saegrid.study.weights import Weights

__all__ = (
    "CellView",
    "Comparison",
    "EncodedTexts",
    "FeatureView",
    "Incomparable",
    "NotThere",
    "Study",
    "Weights",
    "open",
)
