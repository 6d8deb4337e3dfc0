"""The config of a study that is proposed, with the reason of each choice, checked before use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.errors import ConfigError
from saegrid.config.check import cells
from saegrid.config.models import CheckpointSae
from saegrid.evidence import USUAL
from saegrid.mistakes import all_mistakes
from saegrid.mistakes.model import model_mistakes
from saegrid.mistakes.saes import checkpoint_problem
from saegrid.proposal import chosen, models, saes, texts
from saegrid.proposal.corpora import find_texts
from saegrid.proposal.places import proper, repository

MOST_TOKENS = 200_000
"""Tokens of plain texts up to which all are captured."""
SET_ASIDE = 0.05
"""Share of texts that may be unusable where a config says nothing."""
FEWEST = 40
"""Texts of a class, or pairs, from which both halves surely have the ten that tests need."""


class Request(NamedTuple):
    """Model, SAEs and texts that are asked for."""

    model: str
    texts: Sequence[str]
    sae: str | None = None
    """None: one is trained on the texts."""
    name: str | None = None
    layers: Sequence[int] | None = None
    position: str | None = None
    """Position in the block, as a config writes it: r, m and so on."""
    column: str | None = None
    format: str | None = None
    revision: str | None = None
    """Commit of the model."""
    sae_revision: str | None = None
    tokenizer: str | None = None

    @property
    def study(self) -> str:
        """Name of the study: the one that is asked for, else that of the first file of texts."""
        stem = Path(self.texts[0]).name.split(".")[0]
        return self.name or proper(stem).strip("_")[:80] or "study"


class Proposal(NamedTuple):
    """A config, and what there is to say of it."""

    config: dict[str, Any]
    whys: dict[str, str]
    """Reasons by the keys of the config, with dots between them."""
    seen: list[str]
    """Lines about model, SAEs and texts."""
    chosen: list[str]
    """Lines about what was chosen, and why."""


class Draft:
    """A config in the making."""

    def __init__(self, name: str) -> None:
        self.config: dict[str, Any] = {"study": name}
        self.whys: dict[str, str] = {}
        self.chosen: list[str] = []

    def put(self, key: str, value: Any, why: str = "", say: str = "") -> None:
        """Set a key, with the reason for its line and a sentence for the terminal."""
        *outer, last = key.split(".")
        section = self.config
        for part in outer:
            section = section.setdefault(part, {})
        section[last] = value
        if why:
            self.whys[key] = why
        if say:
            self.chosen.append(say)


def propose(asked: Request) -> Proposal:
    """Look at model, SAEs and texts, and put a config together that runs as it is.

    Raises:
        ConfigError, CheckpointError, CorpusError: something does not fit; one sentence for each
            mistake.
    """
    root = repository()
    model, seen = models.look(asked.model, root, asked.revision, asked.tokenizer)
    seen += models.described(model)
    files = find_texts(asked.texts, root)
    one = texts.look(files.paths, asked.column)
    seen += [*files.remarks, *texts.described(one)]
    draft = Draft(asked.study)
    _put_model(draft, model)
    _put_texts(draft, model, one, files.source(one), trained=asked.sae is None)
    if asked.sae is None:
        _put_trained(draft, model, asked)
        _check(draft, model, None)
    else:
        place = saes.open_place(asked.sae, root, asked.sae_revision)
        try:
            position = asked.position and asked.position.upper()
            choice = saes.choose(place, model.sizes, asked.layers, position, asked.format)
            seen += [*place.remarks, *chosen.described(place, choice)]
            _put_saes(draft, model, place, choice)
            _check(draft, model, (place, choice))
        finally:
            place.close()
    _put_analyses(draft, one)
    return Proposal(draft.config, draft.whys, seen, draft.chosen)


def _put_model(draft: Draft, model: models.Seen) -> None:
    numbers = models.arithmetic(model, models.memory())
    section = models.section(model, numbers)
    draft.put("model", section)
    if "revision" in section:
        draft.whys["model.revision"] = "the commit of today, so that a result can be repeated"
    if "dtype" in section:
        draft.whys["model.dtype"] = numbers.why
    draft.chosen.append(f"dtype {numbers.dtype}: {numbers.why}")
    if numbers.memory_mb:
        why = "megabytes with which the model runs whole, and not block by block"
        draft.put("memory.capture", numbers.memory_mb, why, f"memory {numbers.memory_mb} MB: {why}")


def _put_texts(
    draft: Draft, model: models.Seen, one: texts.Texts, source: dict[str, Any], trained: bool
) -> None:
    draft.put("corpora.texts", {"role": "main", "source": source})
    if one.is_paired:
        draft.whys["corpora.texts.source.columns"] = "edits beside their originals: both are shown"
    elif "columns" in source:
        draft.whys["corpora.texts.source.columns"] = "the column that holds the texts"
    if one.repeated:
        draft.whys["corpora.texts.source.columns"] = "ids repeat themselves: rows are numbered"
    if one.labels:
        draft.whys["corpora.texts.source.labels"] = "other columns, kept to be compared by"
    lengths = np.diff(model.encoder.encode(one.sample).indptr)
    opening = len(model.encoder.prefix) + len(model.encoder.suffix)
    long = float((lengths + opening > model.sizes.context).mean())
    if long > SET_ASIDE / 2:
        share = min(1.0, float(np.ceil(long * 20 + 1) / 20))
        why = f"{long:.0%} of the texts are longer than the {model.sizes.context:,} tokens of a row"
        draft.put("corpora.texts.set_aside", share, why, f"{why} and are set aside: shorten them")
    if one.is_paired and not trained:
        draft.chosen.append("tokens: the edits, what they replaced, and 20,000 tokens around them")
        return
    tokens = int(lengths.sum())
    if tokens <= MOST_TOKENS and not one.more:
        said = f"all tokens are looked at, about {tokens:,}"
        draft.put("corpora.texts.tokens", {"context": "all"}, said, said)
    else:
        said = f"a seeded sample of {MOST_TOKENS:,} tokens is looked at; all: every token"
        draft.put("corpora.texts.tokens", {"context": MOST_TOKENS}, said, said)


def _put_trained(draft: Draft, model: models.Seen, asked: Request) -> None:
    n_layers = model.sizes.n_layers
    layers = list(asked.layers or [n_layers // 2])
    position = asked.position or "r"
    draft.put(
        "saes.8x",
        {"source": "train", "recipe": "topk", "expansion": 8, "corpus": "texts",
         "settings": {"k": 16}},
        "no SAE was named: one is trained on the texts, 16 features of a token active",
        "no SAE is named (--sae): a TopK SAE of 8 x d_model features is trained on these texts. "
        "Few texts teach it little; a published SAE of this model knows more",
    )  # fmt: skip
    _put_grid(draft, model, layers, position, ["8x"], asked.layers is None)


def _put_grid(
    draft: Draft,
    model: models.Seen,
    layers: Sequence[int],
    position: str,
    names: Sequence[str],
    middle: bool,
) -> None:
    n_layers = model.sizes.n_layers
    why = f"of the layers 0 to {n_layers - 1}" + (", next to the middle" if middle else "")
    block = {"layers": list(layers), "positions": [position], "saes": list(names)}
    draft.config.setdefault("grid", []).append(block)
    draft.whys["grid"] = f"{why}; each layer, position and SAE is a cell with pages of its own"
    shown = ", ".join(map(str, layers))
    draft.chosen.append(f"layer{'s' * (len(layers) > 1)} {shown}, position {position}: {why}")


def _put_saes(draft: Draft, model: models.Seen, place: saes.Place, choice: saes.Choice) -> None:
    named = chosen.sections(place, choice)
    for name, section in named.items():
        # No dot may stand in the key of a reason.
        draft.config.setdefault("saes", {})[name] = section
        draft.whys[f"saes.{name}"] = f"{choice.format}: {place.name}, read where it lies"
    sites = [one.site for one in choice.taken]
    position, middle = sites[0].position.lower(), len(sites) == 1 and len(choice.sites) > 1
    if len(named) == 1:
        layers = [site.layer for site in sites]
        _put_grid(draft, model, layers, position, list(named), middle)
        return
    for site, name in zip(sites, named, strict=True):
        _put_grid(draft, model, [site.layer], position, [name], False)


def _put_analyses(draft: Draft, one: texts.Texts) -> None:
    """Add the tests that the texts can answer: half are searched, the other half confirms."""
    splits = [name for name in one.files if name not in USUAL.values()]
    two = next((name for name, sizes in one.classes.items() if len(sizes) == 2), None)
    label: dict[str, Any]
    if one.is_paired:
        fewest, label = one.n, {"label": one.spread[0]} if one.spread else {}
        said = "which features tell an edited word from what it replaced"
        said += f", and high from low {one.spread[0]}" if one.spread else ""
    elif len(one.files) == 2 and len(splits) == 2:
        fewest, label = min(one.sizes.values()), {"label": "split", "classes": splits}
        said = f"which features tell {splits[0]} from {splits[1]}"
    elif two or one.spread:
        fewest = min(one.classes[two].values()) if two else one.n
        label = {"label": two or one.spread[0]}
        said = f"which features go with {label['label']}"
    else:
        draft.chosen.append("no tests: the texts have no edits and no label to be compared by")
        return
    if fewest < FEWEST:
        draft.chosen.append(
            f"no tests of {said}: {fewest} texts are too few, {FEWEST} of each kind are needed"
        )
        return
    parts = {} if USUAL["confirmation"] in one.splits else {"share": 0.5}
    kinds = {} if one.is_paired else {"contrasts": ["label"]}
    said = f"{said}; half of the texts are searched, the others confirm" if parts else said
    draft.put("analyses.tests", {**kinds, **label, **parts}, said, f"tests: {said}")


def _check(draft: Draft, model: models.Seen, taken: tuple[saes.Place, saes.Choice] | None) -> None:
    """ConfigError with all mistakes of the config, a sentence each; nothing is fetched for it."""
    study, problems = all_mistakes(draft.config)
    sentences = [problem.text for problem in problems]
    if not problems and model.revision is not None:
        sentences += [one.text for one in model_mistakes(study, model.facts)]
    if not problems and taken is not None:
        place, choice = taken
        by_site = {str(one.site): one for one in choice.taken}
        for cell in cells(study):
            one, section = by_site[str(cell.site)], study.saes[cell.sae]
            assert isinstance(section, CheckpointSae)
            local = section.model_copy(update={"path": str(place.local(one.listed)), "repo": None})
            _, problem = checkpoint_problem(cell.sae, local, cell, model.facts)
            sentences += [f"--sae: {problem}"] if problem else []
    if sentences:
        raise ConfigError("\n".join(dict.fromkeys(sentences)))
