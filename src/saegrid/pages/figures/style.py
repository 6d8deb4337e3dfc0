"""The style of figures, and their rendering: the same tables give the same SVG on every run."""

import io
from collections.abc import Callable, Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

from saegrid.pages.figures.grid import Grid

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#F0E442")
"""Okabe and Ito's palette, which colour-blind readers can tell apart; most contrast first."""
MARKERS = "os^DvPX"
DASHES = ("-", "--", ":", "-.")
GREY = "#6b6b6b"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
WIDE = 30
"""Ratio of the largest number to the smallest from which on an axis is logarithmic."""
METADATA = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
"""Entries that would differ between two runs or two versions, left out of the file's head."""
ROUND = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
"""Ticks of a decade on a log axis, the fewest first."""
SETTINGS: dict[str, Any] = {
    "svg.hashsalt": "saegrid",
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],  # whichever a reader has
    "pdf.fonttype": 42,  # letters are embedded as letters, not as drawings of them
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.facecolor": "white",
}


def new(width: float, height: float, rows: int = 1, columns: int = 1, **how: Any) -> Any:
    """A figure of a size in inches and its axes (row, column), without pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=how.pop("layout", "constrained"))
    return figure, figure.subplots(rows, columns, squeeze=False, **how)


def render(draw: Callable[[Any], "Figure"], shown: Any, form: str = "svg") -> bytes:
    """The bytes of a figure as `svg`, `pdf` or `png`; no date, fixed ids, no user settings."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    canvases = {"svg": FigureCanvasSVG, "pdf": FigureCanvasPdf, "png": FigureCanvasAgg}

    with matplotlib.rc_context():
        # What a user has set for matplotlib must not change a result.
        matplotlib.rcParams.update({**matplotlib.rcParamsDefault, **SETTINGS})
        figure = draw(shown)
        with io.BytesIO() as file:
            canvases[form](figure).print_figure(file, format=form, metadata=METADATA[form])
            return file.getvalue()


def looks(grid: Grid) -> dict[tuple[str, str], dict[str, str]]:
    """The settings of a line for each series: dash and marker by SAE, colour by position, or by SAE
    too where all are of one position."""
    series = list(grid.series())
    positions = list(dict.fromkeys(position for position, _ in series))
    saes = list(dict.fromkeys(sae for _, sae in series))
    hues = {one: positions.index(one[0]) for one in series}
    if len(positions) == 1:  # yellow, the last, is too pale for many lines
        hues = {one: saes.index(one[1]) % (len(COLOURS) - 1) for one in series}
    return {
        (position, sae): {
            "color": COLOURS[hues[position, sae] % len(COLOURS)],
            "linestyle": DASHES[saes.index(sae) % len(DASHES)],
            "marker": MARKERS[saes.index(sae) % len(MARKERS)],
            "label": f"{position}, {sae}",
        }
        for position, sae in series
    }


def shades(n: int) -> list[Any]:
    """A list of n colours from dark to light, each visible on white."""
    from matplotlib import colormaps

    return list(colormaps["viridis"]([at / max(1, n - 1) * 0.7 for at in range(n)]))


def layer_axis(axes: "Axes", grid: Grid) -> None:
    """Put ticks at the layers of the grid, or at some of them where their numbers would touch."""
    axes.set_xticks(sparse(grid.layers()))
    axes.set_xlabel("layer")


def sparse(layers: list[int]) -> list[int]:
    """A selection of ascending layers whose numbers do not touch on an axis."""
    shown: list[int] = []
    for layer in layers:
        if not shown or (layer - shown[-1]) * 9 >= layers[-1] - layers[0]:
            shown.append(layer)
    return shown


def log_ticks(low: float, high: float) -> list[float]:
    """The coarsest round numbers of which three lie from low to high, six at most; [] unless both
    are positive and apart."""
    from matplotlib.ticker import MaxNLocator

    if not 0 < low < high:
        return []
    for steps in ROUND:
        decades = range(floor(log10(low)), ceil(log10(high)) + 1)
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        seen = [x for x in ticks if low <= x <= high]
        if len(seen) >= 3:
            return seen[:: -(-len(seen) // 6)]
    return [x for x in MaxNLocator(4).tick_values(low, high) if low <= x <= high]


def plain(value: float) -> str:
    """A number of an axis; an exponent as a power of ten, with a typographic minus."""
    text, is_power, exponent = f"{value:g}".partition("e")
    text = text.replace("-", "−")
    if not is_power:
        return text
    times = {"1": "", "−1": "−"}.get(text, f"{text}×")
    return f"{times}10{str(int(exponent)).translate(RAISED)}"


def plain_log(axis: "Axis") -> None:
    """Give a log axis a few plain numbers, even where it spans less than a decade."""
    from matplotlib.ticker import FuncFormatter, Locator

    class Few(Locator):
        """The locator of `log_ticks`."""

        def __call__(self) -> list[float]:
            return log_ticks(*sorted(self.axis.get_view_interval()))

    axis.set_major_locator(Few())
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def from_zero(axis: "Axes", values: Sequence[float]) -> None:
    """Scale a y axis of numbers that are not negative, with room above the largest: linear from 0,
    and logarithmic above 1 where the largest is more than `WIDE` times the smallest that is not 0.
    """
    positive = [value for value in values if value > 0]
    if not positive:
        axis.set_ylim(0, 1)
        return
    high = max(positive)
    if high > WIDE * min(positive):
        axis.set_yscale("symlog", linthresh=1)
        axis.set_ylim(0, 2 * high)
        _two_at_least(axis.yaxis)
    else:
        axis.set_ylim(0, 1.08 * high)


def linear_near_zero(axes: "Axes", typical: float) -> None:
    """Make a y axis logarithmic beyond the `typical` size, if that is not 0.

    Beside a few numbers that are far larger, the others would be one line.
    """
    from matplotlib.ticker import FuncFormatter

    if typical > 0 and axes.get_yscale() == "linear":
        axes.set_yscale("symlog", linthresh=10.0 ** ceil(log10(typical)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
        _two_at_least(axes.yaxis)


def _two_at_least(axis: "Axis") -> None:
    """Give an axis that is linear near zero even ticks where it would show fewer than two."""
    from matplotlib.ticker import Locator, MaxNLocator

    powers = axis.get_major_locator()

    class Seen(Locator):
        """The locator of the axis, and even ticks where it has fewer than two in view."""

        def __call__(self) -> list[float]:
            low, high = sorted(self.axis.get_view_interval())
            for ticks in (powers(), MaxNLocator(4).tick_values(low, high)):
                seen = [x for x in ticks if low <= x <= high]
                if len(seen) >= 2:
                    break
            return seen

    axis.set_major_locator(Seen())


def thousands(axis: "Axis") -> None:
    """Give an axis a few ticks, written as 200k or 3M."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(EngFormatter(sep=""))


def blank(axes: "Axes", text: str) -> None:
    """Write a text in place of the data of an empty axis."""
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
