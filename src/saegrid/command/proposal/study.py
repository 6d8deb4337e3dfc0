"""The config of a study that is proposed, with the reason of each choice, checked before use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.errors import ConfigError
from saegrid.command.proposal import chosen, models, named, saes, texts
from saegrid.command.proposal.checked import attempt, check
from saegrid.command.proposal.corpora import Files, find_texts
from saegrid.command.proposal.places import proper, repository
from saegrid.evidence import USUAL

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
    looks, seen = _look(asked)
    model, one = looks.model, looks.texts
    draft = Draft(asked.study)
    _put_model(draft, model)
    _put_texts(draft, model, one, looks.files.source(one), trained=looks.saes is None)
    if looks.saes is None:
        _put_trained(draft, model, asked)
        check(draft.config, model, None)
    else:
        place, choice = looks.saes
        try:
            seen += [*place.remarks, *chosen.described(place, choice)]
            _put_saes(draft, model, place, choice, asked)
            check(draft.config, model, looks.saes)
            seen += named.described(place, choice, model)
        finally:
            place.close()
    _put_analyses(draft, one)
    return Proposal(draft.config, draft.whys, seen, draft.chosen)


class Looks(NamedTuple):
    """Model, texts and SAEs as they were seen."""

    model: models.Seen
    files: Files
    texts: texts.Texts
    saes: tuple[saes.Place, saes.Choice] | None
    """Closed by whoever asked for them; None: none are asked for."""


def _look(asked: Request) -> tuple[Looks, list[str]]:
    """Look at all three, and describe model and texts; ConfigError with the mistakes of all."""
    root, mistakes = repository(), list[str]()
    model = attempt(
        mistakes, lambda: models.look(asked.model, root, asked.revision, asked.tokenizer)
    )
    files = attempt(mistakes, lambda: find_texts(asked.texts, root))
    one = files and attempt(mistakes, lambda: texts.look(files.paths, asked.column))
    both = attempt(mistakes, lambda: _look_at_saes(asked, root, model and model[0]))
    if mistakes or model is None or files is None or one is None:
        if both:
            both[0].close()
        raise ConfigError("\n".join(mistakes))
    lines = [*model[1], *models.described(model[0]), *files.remarks, *texts.described(one)]
    return Looks(model[0], files, one, both), lines


def _look_at_saes(
    asked: Request, root: Path, model: models.Seen | None
) -> tuple[saes.Place, saes.Choice] | None:
    """The SAEs; without a model it is only seen whether there are some."""
    if asked.sae is None:
        return None
    place = saes.open_place(asked.sae, root, asked.sae_revision)
    try:
        if model is None:
            saes.candidates(place, asked.format)
            place.close()
            return None
        position = asked.position and asked.position.upper()
        return place, saes.choose(place, model.sizes, asked.layers, position, asked.format)
    except BaseException:
        place.close()
        raise


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
    _put_grid(draft, model, layers, position, ["8x"], _reason(asked))


def _put_grid(
    draft: Draft,
    model: models.Seen,
    layers: Sequence[int],
    position: str,
    names: Sequence[str],
    reason: str,
) -> None:
    why = f"of the layers 0 to {model.sizes.n_layers - 1}, {reason}"
    block = {"layers": list(layers), "positions": [position], "saes": list(names)}
    draft.config.setdefault("grid", []).append(block)
    draft.whys["grid"] = f"{why}; each layer, position and SAE is a cell with pages of its own"
    shown = ", ".join(map(str, layers))
    draft.chosen.append(f"layer{'s' * (len(layers) > 1)} {shown}, position {position}: {why}")


def _reason(asked: Request, sites: int = 2) -> str:
    """The reason why a layer is taken; `sites`: those that have an SAE."""
    if asked.layers:
        return "as asked"
    return "next to the middle" if sites > 1 else "the one that has an SAE"


def _put_saes(
    draft: Draft, model: models.Seen, place: saes.Place, choice: saes.Choice, asked: Request
) -> None:
    sections = chosen.sections(place, choice)
    for name, section in sections.items():
        # No dot may stand in the key of a reason.
        draft.config.setdefault("saes", {})[name] = section
        draft.whys[f"saes.{name}"] = f"{choice.format}: {place.name}, read where it lies"
    reason = _reason(asked, len(choice.sites))
    for block in chosen.blocks(choice, list(sections)):
        _put_grid(draft, model, *block, reason)


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
    parts = {} if USUAL["confirmation"] in one.splits else {"share": 0.5, "balanced": True}
    kinds = {} if one.is_paired else {"contrasts": ["label"]}
    said = f"{said}; half of the texts are searched, the others confirm" if parts else said
    draft.put("analyses.tests", {**kinds, **label, **parts}, said, f"tests: {said}")
