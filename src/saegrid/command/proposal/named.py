"""The model that the files of an SAE name, beside the model that is asked for."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from saegrid.base.registry import pick
from saegrid.command.proposal.models import Seen as Model
from saegrid.command.proposal.saes import Choice, Place, Seen
from saegrid.saes.formats import FORMATS

KEYS = ("model_name", "base_model", "lm_name", "model_id", "model_from_pretrained_path")
"""Keys under which formats name the model of an SAE, at the top or one section below."""
SAME = {"gpt2small": "gpt2"}
"""Names that libraries have for a model of another name on the hub."""


def described(place: Place, choice: Choice, model: Model) -> Iterator[str]:
    """A line on the model that the SAEs' files name: none where it is the one that is asked for."""
    names = {model_of(place, one) for one in choice.taken}
    others = sorted(name for name in names if name and not is_same(name, model))
    if others:
        yield (
            f"warning: the SAE's files say that it is of the model {', '.join(others)}, and the "
            f"study has {model.path}: of another model its features mean nothing"
        )
    elif "" in names:
        yield (f"the SAE's files do not say which model it is of; its width fits {model.path}")


def model_of(place: Place, one: Seen) -> str:
    """Name of the model in the files of an SAE, empty where they have none."""
    if name := one.facts.get("model_name"):
        return str(name)
    folder, form = place.local(one.listed), pick(FORMATS, one.listed.format, "format")
    for name in (*form.files[:-1], *form.optional):
        if named := _in(_facts(folder / name)):
            return named
    return ""


def _facts(path: Path) -> Any:
    """Read a JSON or YAML file; None of any other, and of one that is not there."""
    import yaml

    if path.suffix not in (".json", ".yaml", ".yml") or not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def _in(facts: Any) -> str:
    if not isinstance(facts, Mapping):
        return ""
    sections = [facts, *(one for one in facts.values() if isinstance(one, Mapping))]
    named = (one[key] for one in sections for key in KEYS if isinstance(one.get(key), str))
    return next(filter(None, named), "")


def is_same(name: str, model: Model) -> bool:
    """Return True if a name is that of the model: its last part is a part of the model's path, or
    of the name in its own config, whatever the capitals and the marks."""
    own = f"{model.path}/{model.folder.as_posix()}/{model.config.get('_name_or_path') or ''}"
    parts = {_plain(part) for part in re.split(r"/|--", own)}
    return _plain(name.rstrip("/").split("/")[-1]) in parts


def _plain(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return SAME.get(plain, plain)
