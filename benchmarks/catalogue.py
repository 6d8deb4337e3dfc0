"""The share of the SAEs in SAELens' catalogue that can be studied: format, site and family.

    python benchmarks/catalogue.py PATH/pretrained_saes.yaml

The file is `sae_lens/pretrained_saes.yaml` in the wheel of sae-lens. It names a loader for each
release; where each loader's SAEs read is derived from the names of repositories and folders as the
loader does it. An SAE counts where its format stands in `FORMATS`, its place is a site, and its
model's family stands in `FAMILIES`.
"""

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base.io import read_yaml
from saegrid.base.words import Site
from saegrid.models import FAMILIES
from saegrid.saes.formats import FORMATS
from saegrid.saes.hooks import site_of


class Entry(NamedTuple):
    """An SAE of the catalogue."""

    release: str
    loader: str
    model: str
    repo: str
    id: str
    path: str


class Place(NamedTuple):
    """A place where an SAE reads, or the reason why it is no site."""

    site: Site | None
    reason: str = ""


class Loader(NamedTuple):
    """A loader of SAELens."""

    form: str
    """Name of the format here; where FORMATS has none of that name, a description."""
    place: Callable[[Entry], Place]


class Row(NamedTuple):
    """An SAE, and what is there for it."""

    entry: Entry
    form: bool
    site: bool
    family: bool
    reason: str
    """The first thing that it lacks; empty where it can be studied."""


CLT = "cross-layer transcoder: it writes to several layers"


def by_layer(position: str, pattern: str = r"(?:layer_?|\bl|L)(\d+)") -> Callable[[Entry], Place]:
    """A place at one position, the layer of which stands in the folder's name."""

    def place(entry: Entry) -> Place:
        match = re.search(pattern, entry.path)
        if match is None:
            return Place(None, "no layer in the name of its folder")
        return Place(Site(int(match[1]), position))

    return place


def gemma_2(entry: Entry) -> Place:
    """The place of a Gemma Scope SAE, by the end of its repository's name."""
    if entry.path.startswith("embedding"):
        return Place(Site(0, "B"))
    for end, position in {"-res": "R", "-mlp": "M", "-att": "Z"}.items():
        if entry.repo.endswith(end):
            return by_layer(position)(entry)
    return Place(None, "no place in the name of its repository")


def gemma_3(entry: Entry) -> Place:
    """The place of a Gemma Scope 2 SAE, by the folder of its kind."""
    kind = entry.path.split("/")[0].removesuffix("_all")
    places = {"resid_post": "R", "attn_out": "Z", "mlp_out": "M", "transcoder": "I"}
    if kind not in places:
        return Place(None, CLT if kind == "clt" else f"kind {kind!r}")
    return by_layer(places[kind])(entry)


def llama_scope(entry: Entry) -> Place:
    """The place of a Llama Scope SAE, by a name like L15R."""
    match = re.search(r"L(\d+)([RAM])\b", entry.path)
    return Place(Site(int(match[1]), match[2])) if match else Place(None, "no place in its name")


def sae_lens(entry: Entry) -> Place:
    """The place of an SAE of SAELens, by its id, which is a hook point."""
    hook = re.match(r"blocks\.\d+\.[a-z_.]*[a-z]", entry.id)
    site = site_of(hook[0], entry.model) if hook else None
    return Place(site, "" if site else f"hook point {entry.id!r} is no site")


def nowhere(reason: str) -> Callable[[Entry], Place]:
    """No site, for a reason."""
    return lambda entry: Place(None, reason)


LOADERS = {
    "sae_lens": Loader("sae_lens", sae_lens),
    "gemma_2": Loader("gemma_scope", gemma_2),
    "gemma_2_transcoder": Loader("gemma_scope", by_layer("H")),
    "gemma_3": Loader("gemma_scope_2", gemma_3),
    "llama_scope": Loader("llama_scope", llama_scope),
    "llama_scope_r1_distill": Loader("llamascopium", llama_scope),
    "dictionary_learning_1": Loader("dictionary_learning", by_layer("R")),
    "qwen_scope": Loader("qwen_scope", by_layer("R")),
    "sparsify": Loader("sparsify", by_layer("R", r"layers[._](\d+)")),
    "mwhanna_transcoder": Loader("mwhanna_transcoder", by_layer("I")),
    "mntss_clt_layer_transcoder": Loader("none: " + CLT, nowhere(CLT)),
    "connor_rob_hook_z": Loader("none: heads with value biases folded away", by_layer("Z")),
    "goodfire": Loader("none: a pickle without a config", by_layer("R")),
    "deepseek_r1": Loader("none: a pickle without a config", by_layer("R")),
    "temporal": Loader("none: codes that follow from the tokens before", by_layer("R")),
}
MODEL_TYPES = {
    r"gemma-3-(?:270m|1b)": "gemma3_text",
    r"gemma-3-": "gemma3",
    r"gemma-2-\d+b": "gemma2",
    r"gemma-\d+b": "gemma",
    r"gpt2": "gpt2",
    r"pythia": "gpt_neox",
    r"gpt-oss": "gpt_oss",
    r"qwen3\.5": "qwen3_5",
    r"qwen3-.*-a\d+b": "qwen3_moe",
    r"qwen3-": "qwen3",
    r"qwen2": "qwen2",
    r"mistral": "mistral",
    r"llama": "llama",
}
"""`model_type` of models by their names in lower case, the first that matches."""


def model_type(name: str) -> str:
    """The `model_type` of a model by its name; the name itself where it is not known."""
    low = name.lower()
    return next((kind for pattern, kind in MODEL_TYPES.items() if re.search(pattern, low)), low)


def entries(catalogue: Mapping[str, Any]) -> Iterator[Entry]:
    """All SAEs of the catalogue."""
    for release, facts in catalogue.items():
        loader = facts.get("conversion_func") or "sae_lens"
        for sae in facts["saes"]:
            yield Entry(
                release, loader, facts["model"], facts["repo_id"], str(sae["id"]), str(sae["path"])
            )


def row(entry: Entry) -> Row:
    """The row of an SAE: True for each of format, site and family that it has here."""
    loader = LOADERS.get(entry.loader)
    if loader is None:
        return Row(entry, False, False, False, f"loader {entry.loader!r} is not known")
    place, kind = loader.place(entry), model_type(entry.model)
    form, family = loader.form in FORMATS, kind in FAMILIES
    reason = "" if form else f"no format: {loader.form.removeprefix('none: ')}"
    reason = reason or place.reason or ("" if family else f"no family: {kind}")
    return Row(entry, form, place.site is not None, family, reason)


def table(rows: list[Row]) -> list[str]:
    """Lines: loaders with their counts, the total share, and what is left."""
    lines = [f"{'loader':28s} {'SAEs':>6s} {'format':>7s} {'site':>6s} {'family':>7s} {'all':>6s}"]
    by_loader: dict[str, list[Row]] = {}
    for one in rows:
        by_loader.setdefault(one.entry.loader, []).append(one)
    for loader, some in sorted(by_loader.items(), key=lambda item: -len(item[1])):
        counts = [sum(getattr(r, key) for r in some) for key in ("form", "site", "family")]
        good = sum(not r.reason for r in some)
        columns = f"{counts[0]:7d} {counts[1]:6d} {counts[2]:7d} {good:6d}"
        lines.append(f"{loader:28s} {len(some):6d} {columns}")
    good = sum(not r.reason for r in rows)
    lines += ["", f"{good:,} of {len(rows):,} SAEs: {good / max(len(rows), 1):.2%}", ""]
    left = Counter((r.reason, r.entry.model) for r in rows if r.reason)
    return lines + [f"{n:6d}  {model}: {reason}" for (reason, model), n in left.most_common()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("catalogue", type=Path, help="pretrained_saes.yaml of sae-lens")
    settings = parser.parse_args()
    print("\n".join(table([row(entry) for entry in entries(read_yaml(settings.catalogue))])))


if __name__ == "__main__":
    main()
