"""Strict reading of a config, with messages that name the key and the nearest spelling."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from saegrid.base.errors import ConfigError
from saegrid.base.registry import nearest
from saegrid.base.words import Cell, Site
from saegrid.config.models import Block, Corpus, Study
from saegrid.config.sweeps import SweepError, expand

STAGES = ("train", "encode", "density", "top_tokens", "topics", "logits", "pages")
"""What a cell may override."""
OF_TABLES = {
    *("layout", "row_length", "mask", "tokens", "keep_space", "grades", "labels", "split_column"),
    *("original", "edit", "edited"),
}
"""Settings of a corpus, its source and columns that only one in tables has."""


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that may stand where `annotation` does."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _known_keys(path: tuple[Any, ...]) -> list[str]:
    """The keys of the section in which the last key of `path` stands."""
    sections: list[type[BaseModel]] = [Study]
    for key in path[:-1]:
        inside = [s.model_fields[key].annotation for s in sections if key in s.model_fields]
        tagged = [
            s
            for s in sections
            if "source" in s.model_fields and key in get_args(s.model_fields["source"].annotation)
        ]
        # Otherwise the key is a name in a catalogue or an index in a list: same sections.
        sections = [m for a in inside for m in _models(a)] or tagged or sections
    return sorted({name for section in sections for name in section.model_fields})


def _explain(error: Mapping[str, Any]) -> str:
    path = tuple(error["loc"])
    # The tag of a union is no key of the file.
    key = ".".join(str(p) for p in path if p not in ("train", "checkpoint") or p == path[-1])
    if error["type"] == "extra_forbidden":
        known = _known_keys(path)
        return f"{key} is not a key.{nearest(str(path[-1]), known)} Known here: {', '.join(known)}."
    if error["type"] == "missing":
        return f"{key} is missing."
    return f"{key}: {error['msg']}; got {error['input']!r}."


def _blocks(study: Study) -> list[Block]:
    if not isinstance(study.grid, str):
        return list(study.grid)
    if study.grid not in study.grids:
        known = sorted(study.grids)
        raise ConfigError(
            f"grid: {study.grid!r} is not among grids.{nearest(study.grid, known)} "
            f"Known: {', '.join(known)}."
        )
    return list(study.grids[study.grid])


def cells(study: Study) -> list[Cell]:
    """The cells of the study's grid, sorted, each once; ConfigError for an unknown SAE."""
    found = set()
    for block in _blocks(study):
        for sae in block.saes:
            if sae not in study.saes:
                known = sorted(study.saes)
                raise ConfigError(
                    f"grid: SAE {sae!r} is not among saes.{nearest(sae, known)} "
                    f"Known: {', '.join(known)}."
                )
            found |= {
                Cell(Site(layer, position.upper()), sae)
                for layer in block.layers
                for position in block.positions
            }
    return sorted(found)


def _check_references(study: Study) -> None:
    roles = {name: corpus.role for name, corpus in study.corpora.items()}
    mains = [name for name, role in roles.items() if role == "main"]
    if len(mains) != 1:
        raise ConfigError(f"corpora: exactly one must have the role main; got {mains}.")
    for name, corpus in study.corpora.items():
        _check_corpus(name, corpus)
    for name, sae in study.saes.items():
        if sae.source == "train":
            _check_learned(study, f"saes.{name}.corpus", sae.corpus)
        if sae.source == "checkpoint" and sae.path is None and sae.repo is None:
            raise ConfigError(f"saes.{name}: give path (of local copies) or repo (on the hub).")
    named = {"metrics.corpus": [study.metrics.corpus], "survey.corpora": study.survey.corpora}
    for key, names in named.items():
        for name in names:
            if name is not None and name not in roles:
                raise ConfigError(
                    f"{key} must name one of the corpora; got {name!r}.{nearest(name, list(roles))}"
                )
    known = {str(cell) for cell in cells(study)}
    for cell, stages in study.overrides.items():
        Cell.parse(cell)
        if cell not in known:
            raise ConfigError(
                f"overrides.{cell} is not a cell of the grid.{nearest(cell, sorted(known))}"
            )
        for stage, values in stages.items():
            known_stages = (*STAGES, *type(study.analyses).model_fields)
            if stage not in known_stages:
                raise ConfigError(
                    f"overrides.{cell}.{stage} is not a stage.{nearest(stage, known_stages)} "
                    f"Known: {', '.join(known_stages)}."
                )
            settings = cell_settings(study, Cell.parse(cell), stage, values)
            if stage == "train" and settings["source"] == "train":
                _check_learned(study, f"overrides.{cell}.train.corpus", settings["corpus"])


def _check_learned(study: Study, key: str, name: str) -> None:
    """SAEs learn from a corpus of role train."""
    roles = {corpus: told.role for corpus, told in study.corpora.items()}
    if roles.get(name) != "train":
        trains = [corpus for corpus, role in roles.items() if role == "train"]
        raise ConfigError(
            f"{key} must name a corpus of role train; got {name!r}.{nearest(name, trains)}"
        )


def _check_corpus(name: str, corpus: Corpus) -> None:
    """A streamed corpus, and one that SAEs learn from, cannot have all settings."""
    if corpus.store and (corpus.role != "train" or corpus.shards > 1 or corpus.filter):
        raise ConfigError(
            f"corpora.{name}.store: a streamed corpus has the role train, no filter and no "
            f"shards of its own; got role {corpus.role}, shards {corpus.shards}."
        )
    parts = (corpus, corpus.source, corpus.source.columns)
    told = {key for part in parts for key in part.model_dump(exclude_defaults=True)}
    if corpus.store and told & OF_TABLES:
        raise ConfigError(
            f"corpora.{name}: a streamed corpus has plain texts, one after another, and no "
            f"{', '.join(sorted(told & OF_TABLES))}. Leave that out, or leave out `store`."
        )
    paired = corpus.source.columns.original is not None
    if corpus.role == "train" and corpus.layout == "packed" and paired:
        raise ConfigError(
            f"corpora.{name}.layout: packed rows mix pairs, so that none can be held out of a "
            "training with its siblings. Take layout headline, or a column `text` alone."
        )


def section(study: Study, name: str) -> Any:
    """A section of the config, or of its analyses."""
    return getattr(study, name, None) or getattr(study.analyses, name)


def cell_settings(
    study: Study, cell: Cell, stage: str, values: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The settings of a stage for one cell, overrides put in; ConfigError for unknown keys."""
    if values is None:
        values = study.overrides.get(str(cell), {}).get(stage, {})
    base = study.saes[cell.sae] if stage == "train" else section(study, stage)
    merged = _merge(base.model_dump(mode="json"), values)
    try:
        return type(base)(**merged).model_dump(mode="json")
    except ValidationError as problem:
        lines = []
        for error in problem.errors():
            known = sorted(type(base).model_fields)
            hint = nearest(str(error["loc"][-1]), known)
            key = ".".join(map(str, error["loc"]))
            lines.append(f"overrides.{cell}.{stage}.{key}: {error['msg']}.{hint}")
        raise ConfigError("\n".join(lines)) from None


def _merge(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in values.items():
        inner = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(inner, Mapping)
        merged[key] = _merge(inner, value) if both else value
    return merged


def resolve(config: Mapping[str, Any]) -> Study:
    """The checked study of a config mapping.

    Raises:
        ConfigError: with one line a mistake, each naming its key.
    """
    try:
        study = Study(**config)
    except ValidationError as problem:
        lines = [_explain(error) for error in problem.errors()]
        raise ConfigError("The config cannot be used:\n  " + "\n  ".join(lines)) from None
    try:
        study = expand(study)
    except ValidationError as problem:
        lines = [_explain(error) for error in problem.errors()]
        raise ConfigError("A sweep makes SAEs that cannot be:\n  " + "\n  ".join(lines)) from None
    except SweepError as problem:
        raise ConfigError(str(problem)) from None
    _check_references(study)
    return study
