"""The agreement of the sides of a comparison, from the arrays that they wrote."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

Arrays = Mapping[str, np.ndarray]


def _keys(side: Arrays, *columns: str) -> np.ndarray:
    """A key for each entry, the same on every side."""
    key = np.zeros(len(side[columns[0]]), np.int64)
    for column in columns:
        key = key * (1 << 20) + side[column]
    return key


def masks(ours: Arrays, theirs: Arrays, *columns: str) -> str:
    """A sentence on two sparse z: entries of one side only, their distance from the gate, and the
    values of both."""
    a, b = _keys(ours, *columns), _keys(theirs, *columns)
    both, at_a, at_b = np.intersect1d(a, b, return_indices=True)
    alone_a, alone_b = np.setdiff1d(np.arange(len(a)), at_a), np.setdiff1d(np.arange(len(b)), at_b)
    sentence = f"{len(a)} and {len(b)} active, {len(alone_a)} only here, {len(alone_b)} only there"
    if len(alone_a) + len(alone_b):
        threshold = ours["threshold"].astype(np.float64)
        gap = [
            np.abs(side["value"][alone] / threshold[side["feature"][alone]] - 1)
            for side, alone in ((ours, alone_a), (theirs, alone_b))
        ]
        sentence += f", at most {np.concatenate(gap).max():.1e} of the threshold away from it"
    if len(both):
        x, y = ours["value"][at_a].astype(np.float64), theirs["value"][at_b]
        sentence += f"; values of both differ by {np.abs(y / x - 1).max():.1e} relative at most"
    return sentence


def shares(ours: Arrays, theirs: Arrays, *columns: str) -> str:
    """A sentence on the share of our mask that theirs finds."""
    a, b = _keys(ours, *columns), _keys(theirs, *columns)
    both = len(np.intersect1d(a, b))
    finds, right = both / max(len(a), 1), both / max(len(b), 1)
    return f"{len(a)} and {len(b)} active; it finds {finds:.1%} of ours, {right:.1%} of its own are"


def cells(out: Mapping[str, Path]) -> None:
    """Print the agreement of the cell of true size with SAELens' readings of it."""
    sides = {name: np.load(path) for name, path in out.items()}
    ours, cured = sides["saegrid"], sides["cured"]
    print("gate mended:", masks(ours, cured, "token", "feature"))
    d = cured["density"][ours["shown"]]
    print(f"  densities differ by {np.abs(d - ours['density_in_edit']).max():.1e} at most")
    value, feature = ours["top_value"], ours["top_feature"]
    # Features stand in order of density here, each with its examples together.
    opens = np.flatnonzero(np.diff(feature, prepend=-1))
    rank = np.arange(len(feature)) - np.repeat(opens, np.diff(np.append(opens, len(feature))))
    theirs = cured["top_value"][feature, rank]
    same = (cured["top_token"][feature, rank] == ours["top_token"]).mean()
    worst = np.abs(theirs / value - 1).max() if len(value) else 0.0
    print(f"  top tokens: {same:.3%} the same, activations differ by {worst:.1e} relative at most")
    print("as it comes:", shares(ours, sides["default"], "token", "feature"))
    print("  (its gate leaves out the norms of the decoder)")
    sentence = shares(sides["default"], sides["bfloat16"], "token", "feature")
    print("its bfloat16 beside its float32:", sentence)


def grids(out: Mapping[str, Path], sites: list[str], special: np.ndarray, words: list[str]) -> None:
    """Print the agreement of the small grid; special: (row, position) bool; words: text of each
    id."""
    for site in sites:
        ours = np.load(out["saegrid"] / f"{site}.npz")
        for name, folder in out.items():
            theirs = np.load(folder / f"{site}.npz")
            if name.startswith("SAELens"):
                print(f"{site}, {name}:", masks(ours, theirs, "feature", "row", "position"))
            elif name.startswith("SAEDashboard"):
                print(f"{site}, {name}:")
                for line in _dashboard(ours, theirs, special, words, "default" in name):
                    print("  " + line)


def _dashboard(
    ours: Arrays, theirs: Arrays, special: np.ndarray, words: list[str], windows: bool
) -> list[str]:
    """Sentences on densities, top tokens, logit effects, and the special tokens that SAEDashboard
    counts."""
    d_sae, features = int(ours["d_sae"]), theirs["feature"]
    n_active = np.bincount(ours["feature"], minlength=d_sae)[features]
    lines, n_text = [], (~special).sum()
    off = np.abs(theirs["share"] * special.size - n_active).max()
    lines.append(
        f"active tokens: its share times all {special.size} positions is ours to {off:.2f} (it "
        f"rounds to 1e-5); it divides by padding too, so densities are {n_text / special.size:.2f} "
        "of ours"
    )
    largest = np.zeros(d_sae)
    np.maximum.at(largest, ours["feature"], ours["value"])
    wrong = (theirs["any_max"] > largest[features] * 1.001 + 1e-4).sum()
    lines.append(f"its table of maxima counts special tokens: larger in {wrong} features")
    value = np.zeros((d_sae, *special.shape), np.float32)
    value[ours["feature"], ours["row"], ours["position"]] = ours["value"]
    shown = theirs["top_value"] > 0
    feature, row, at = (theirs[f"top_{name}"][shown] for name in ("feature", "row", "position"))
    worst = np.abs(value[feature, row, at] - theirs["top_value"][shown]).max()
    lines.append(
        f"top tokens: {shown.sum()} active ones, activations differ by {worst:.1e} at most (it "
        f"rounds to 1e-4); {(~shown).sum()} fillers that are not active"
    )
    lines.append(_tops(ours, theirs, feature, features, windows))
    lines.append(_effects(ours, theirs, words))
    return lines


def _tops(
    ours: Arrays, theirs: Arrays, feature: np.ndarray, features: np.ndarray, windows: bool
) -> str:
    """A sentence on the features whose top activations are the same list, but for ties and
    rounding."""
    shown, same, missed = theirs["top_value"] > 0, 0, 0
    for f in features:
        own = np.sort(ours["top_value"][ours["top_feature"] == f])[::-1]
        its = np.sort(theirs["top_value"][shown][feature == f])[::-1]
        equal = len(own) == len(its) and np.allclose(own, its, atol=6e-5)
        same, missed = same + equal, missed + max(len(own) - len(its), 0)
    why = " (it never chooses tokens near the ends of a row)" if windows else ""
    return f"lists of top activations: {same} of {len(features)} the same, {missed} lack{why}"


def _effects(ours: Arrays, theirs: Arrays, words: list[str]) -> str:
    """A sentence on the tokens raised and lowered most that are the same.

    SAEDashboard's unembedding is centred, which moves all effects of a feature by one number.
    """
    same, n, worst = 0, 0, 0.0
    for f in np.intersect1d(ours["effect_feature"], theirs["feature"]):
        own, its = ours["effect_feature"] == f, theirs["effect_feature"] == f
        moved = []
        for top in (True, False):
            a = np.flatnonzero(own & (ours["effect_top"] == top))
            b = np.flatnonzero(its & (theirs["effect_top"] == top))
            known = {words[token] for token in theirs["effect_token"][b]}
            same, n = same + len(known & set(ours["effect_token"][a])), n + len(a)
            moved.append(np.sort(ours["effect"][a]) - np.sort(theirs["effect"][b]))
        moved = np.concatenate(moved)
        worst = max(worst, float(np.ptp(moved)))
    return f"logit effects: {same} of {n} tokens the same; but for one shift a feature, {worst:.1e}"
