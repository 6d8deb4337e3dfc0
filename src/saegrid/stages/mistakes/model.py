"""A model or a tokenizer that is not there, or of a kind that is not read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base.errors import CheckpointError
from saegrid.base.paths import PathError, expand
from saegrid.base.tensors import header
from saegrid.base.words import Cell, Site
from saegrid.config.check import Mistake, cells
from saegrid.config.corpora import Corpus
from saegrid.config.models import Study
from saegrid.models import FAMILIES, Sizes, family_of, read_config, sizes_of, unembedding_names
from saegrid.models.files import CONFIG, check_config, model_files
from saegrid.models.hub import tokenizer_of
from saegrid.text import older, tokenizer
from saegrid.text.chat import NO_TEMPLATE, ChatError, check
from saegrid.text.corpora.rows import CONTINUED

LOADED = 4 << 20
"""Bytes of a tokenizer up to which it is loaded, and its special tokens are looked at."""


class Facts(NamedTuple):
    """Facts from the files of a study's model, as far as the files are on this machine."""

    folder: Path | None
    """None where the model is on the hub, or not there."""
    config: dict[str, Any] | None
    sizes: Sizes | None
    problems: tuple[str, ...] = ()
    """Mistakes of the model, a sentence each."""

    @classmethod
    def of(cls, study: Study) -> "Facts":
        """The facts of a study's model; those of a model on the hub are unknown."""
        try:
            path = expand(study.model.path)
        except PathError as problem:
            return cls(None, None, None, (f"model.path: {problem}",))
        folder = Path(path)
        if not folder.is_dir():
            wrong = not_a_folder("model.path", path, "model.revision", study.model.revision)
            return cls(None, None, None, (wrong,) if wrong else ())
        try:
            config = _config(folder)
            check_config(folder, config)
        except (CheckpointError, FileNotFoundError) as problem:
            text = str(problem).removeprefix("model.path: ")
            return cls(folder, None, None, (f"model.path: {text}",))
        return cls(folder, config, *_sizes(study, folder, config))

    def width(self, site: Site) -> int:
        """Channels of a site; 0 where they are not known."""
        return 0 if self.sizes is None else self.sizes.width(site.position)


def not_a_folder(key: str, path: str, commit_key: str, commit: str | None) -> str:
    """The mistake in a path that is no folder; empty for a name on the hub with a commit."""
    place = Path(path)
    if place.exists():
        return f"{key}: {path} must be a folder; it is a file or a device."
    on_hub = path.count("/") == 1 and not path.startswith((".", "/", "~")) and " " not in path
    if not on_hub:
        return (
            f"{key}: there is no folder {path}. Paths are relative to the folder in which "
            "snakemake runs; a name on the hub is owner/name."
        )
    if commit is None:
        return (
            f"{commit_key}: there is no folder {path}, and on the hub its commit must be named, so "
            "that the results can be repeated."
        )
    return ""


def _config(folder: Path) -> dict[str, Any]:
    """The facts of config.json; CheckpointError where it holds none."""
    try:
        config = read_config(folder)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as problem:
        raise CheckpointError(f"{folder / CONFIG}: this is no JSON: {problem}.") from None
    if not isinstance(config, dict):
        raise CheckpointError(
            f"{folder / CONFIG}: a JSON object was expected, got {type(config).__name__}."
        )
    return config


def _sizes(
    study: Study, folder: Path, config: dict[str, Any]
) -> tuple[Sizes | None, tuple[str, ...]]:
    """The sizes that config.json gives, and what is wrong with it, or with the weights."""
    path, family = folder / CONFIG, study.model.family
    if family != "auto" and family not in FAMILIES:
        return None, ()  # told where names are
    kind = config.get("model_type")
    if family != "auto" and FAMILIES.get(str(kind), FAMILIES[family]) != FAMILIES[family]:
        return None, (
            f"model.family: {path} says model_type {kind}, whose parts are not those of {family}. "
            "Leave it at auto.",
        )
    try:
        sizes = sizes_of(config, family)
    except KeyError as problem:
        return None, (f"model.path: {path} lacks the key {problem.args[0]!r}. Fetch it again.",)
    except ValueError as problem:
        key = "model.family" if family != "auto" else f"model.path: {path}: model_type"
        text = str(problem).removeprefix("model family ")
        return None, (f"{key}: the family {text}",)
    except TypeError as problem:
        return None, (f"model.path: {path} cannot be used: {problem}.",)
    for name, value in sizes._asdict().items():
        if type(value) is not int or value < 1:
            return None, (
                f"model.path: {path} gives {name} as {value!r}; expected a whole number from 1 on.",
            )
    if study.model.weights == "random":
        return sizes, ()
    try:
        tensors = [name for part in model_files(folder) for name in header(part).entries]
        unembedding_names(config, tensors, family)
    except ValueError as problem:
        return sizes, (f"model.path: {problem}",)
    return sizes, ()


def model_mistakes(study: Study, facts: Facts) -> Iterator[Mistake]:
    """Mistakes that keep the model from being run, and layers of the grid that it lacks."""
    for problem in facts.problems:
        yield Mistake("model", problem, problem.split(":", 1)[0])
    grid = cells(study)
    if not grid and study.grid in ([], ""):
        yield Mistake(
            "grid",
            "grid: no cell is named. Give blocks of layers, positions and saes, or the name of one "
            "of grids.",
            "grid",
        )
    elif not grid:
        yield Mistake("grid", "grid: it has no cell, for a list in its blocks is empty.", "grid")
    if facts.sizes is not None:
        n_layers = facts.sizes.n_layers
        named = {"grid": [c.site.layer for c in grid], "survey.layers": study.survey.layers}
        for key, layers in named.items():
            missing = sorted({layer for layer in layers if layer >= n_layers})
            more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
            if missing:
                yield Mistake(
                    "grid",
                    f"{key}: layers {missing[:10]}{more} are not in the model, which has the "
                    f"layers 0 to {n_layers - 1}.",
                    key,
                )
        family = family_of(facts.config or {}, study.model.family)
        for position in sorted({cell.site.position for cell in grid}):
            if reason := family.lacks(position):
                yield Mistake(
                    "grid",
                    f"grid: a {family.name} model has no position {position.lower()}: {reason}.",
                    "grid",
                )


# --- tokenizer --------------------------------------------------------------------------------


def tokenizer_mistakes(study: Study, facts: Facts) -> Iterator[Mistake]:
    """A tokenizer that is not there or not understood, and rows longer than the model takes."""
    problem, encoder = _tokenizer(study)
    has_template = None if problem else _has_template(study)
    if problem:
        yield Mistake("tokenizer", problem, problem.split(":", 1)[0])
    context = facts.sizes.context if facts.sizes else None
    for name, corpus in study.corpora.items():
        key, part = f"corpora.{name}", f"tokenizer:{name}"
        for setting in ("max_length", "row_length"):
            value = getattr(corpus, setting)
            counts = setting == "max_length" or corpus.layout == "packed"
            if counts and value is not None and context is not None and value > context:
                yield Mistake(
                    part,
                    f"{key}.{setting}: the model takes rows of {context:,} tokens at most; got "
                    f"{value:,}.",
                    f"{key}.{setting}",
                )
        if facts.config and corpus.source.kind == CONTINUED:
            family = family_of(facts.config, study.model.family)
            if not family.causal:
                text = f"a {family.name} model does not predict the next token and continues none"
                yield Mistake("model", f"{key}.source.kind: {text}.", f"{key}.source.kind")
            longest = min(corpus.max_length or context, context) if context else 10**9
            if (corpus.source.new_tokens or 0) >= longest:
                text = f"rows have {longest:,} tokens at most, those of the prompts among them"
                yield Mistake(part, f"{key}.source.new_tokens: {text}.", f"{key}.source.new_tokens")
        for text in _chat(corpus, encoder, has_template):
            yield Mistake(part, f"{key}.{text}", f"{key}.{text.partition(':')[0]}")
        if corpus.layout != "packed":
            continue
        if corpus.max_length is not None and corpus.row_length > corpus.max_length:
            yield Mistake(
                part,
                f"{key}.row_length: must not exceed max_length, {corpus.max_length}; got "
                f"{corpus.row_length}.",
                f"{key}.row_length",
            )
        if encoder is not None and encoder.eos is None:
            yield Mistake(
                part,
                f"{key}.layout: packed joins texts by an EOS token, which this tokenizer does not "
                "name. Take layout headline.",
                f"{key}.layout",
            )


def _chat(
    corpus: Corpus, encoder: tokenizer.Encoder | None, has_template: bool | None = None
) -> Iterator[str]:
    """Mistakes in a corpus of turns, each with the key in front.

    encoder: the tokenizer, where it is small. has_template: it has a chat template; None where that
    is not known.
    """
    if corpus.chat is None:
        return
    if corpus.layout != "headline":
        yield f"chat: a turn has a row of its own; got layout {corpus.layout}. Take headline."
    elif corpus.store is not None:
        yield "chat: a streamed corpus has no turns. Leave chat or store out."
    elif encoder is None:
        if has_template is False:
            yield f"chat: {NO_TEMPLATE}"
    else:
        try:
            check(encoder, corpus.chat.model_dump())
        except ChatError as problem:
            yield str(problem)


def _has_template(study: Study) -> bool | None:
    """Return True if the tokenizer has a chat template, None if it is on the hub."""
    path = Path(expand(tokenizer_of(study.model.model_dump())[0]))
    folder = path if path.is_dir() else path.parent
    return tokenizer.SideFiles.read(folder).template is not None if path.exists() else None


def _tokenizer(study: Study) -> tuple[str, tokenizer.Encoder | None]:
    """The mistake of the tokenizer, or empty; and the tokenizer if it is small enough to load."""
    model = study.model
    key = "model.tokenizer" if model.tokenizer else "model.path"
    named, commit = tokenizer_of(model.model_dump())
    same = named == model.path
    try:
        path = Path(expand(named))
    except PathError as problem:
        return f"{key}: {problem}", None
    if not path.is_dir() and path.name != "tokenizer.json":
        commit_key = "model.revision" if same else "model.tokenizer_revision"
        return not_a_folder(key, str(path), commit_key, commit), None
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file() and not older.present(file.parent):
        return (
            f"{key}: {file} is not there. A tokenizer is a folder that holds tokenizer.json; "
            "transformers saves one with AutoTokenizer.from_pretrained(...).save_pretrained(...)."
        ), None
    for beside in ("tokenizer_config.json", "special_tokens_map.json", CONFIG):
        try:
            facts = json.loads((file.parent / beside).read_text(encoding="utf-8"))
            if not isinstance(facts, dict):
                return f"{key}: {file.parent / beside}: a JSON object was expected.", None
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as problem:
            return f"{key}: {file.parent / beside}: this is no JSON: {problem}.", None
    if file.is_file() and file.stat().st_size > LOADED:
        return "", None
    try:
        return "", tokenizer.load(path, model.bos)
    except Exception as problem:  # the library raises bare exceptions
        where = "" if str(file.parent) in str(problem) else f"{file}: "
        return f"{key}: {where}{str(problem).removeprefix('tokenizer: ')}", None


def sites_of(study: Study, name: str) -> list[Cell]:
    """The cells of the grid with an SAE of this name."""
    return [cell for cell in cells(study) if cell.sae == name]
