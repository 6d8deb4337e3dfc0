"""Messages of configs that cannot be used, each made by the check itself, and kinds of errors."""

import copy
from collections.abc import Mapping
from functools import cache
from pkgutil import resolve_name
from typing import Any

import yaml

from saegrid.config.check import read
from saegrid.stages.mistakes.names import names_mistakes
from saegrid.stages.written.tables import escaped, table

GOOD = """
study: own
model: {path: path/of/a/model}
corpora:
  texts: {role: main, source: {kind: csv, files: texts.csv, columns: {text: body}}}
  more: {role: reference, source: {kind: text, files: more.txt}}
saes:
  8x: {source: train, recipe: topk, expansion: 8, corpus: more}
grid: [{layers: [3], positions: [r], saes: [8x]}]
"""
"""A config without mistakes that show without a look at files."""
WRONG: tuple[tuple[str, str], ...] = (
    ("modle: {}", "Correct the spelling, or take the key out."),
    ("study: my study", "Take letters, digits, `_` and `-` alone: the name becomes a folder."),
    ("saes: {8x: {expansion: 8x}}", "Write the number: `expansion: 8`."),
    ("saes: {8x: {recipe: top-k}}", "Take a recipe of [the list](training.md#recipes)."),
    ("saes: {8x: {settings: {kk: 8}}}", "Take a setting of the recipe; the message lists them."),
    ("saes: {8x: {source: hub}}", "An SAE is trained here or read from a checkpoint."),
    ("saes: {8x: {corpus: mroe}}", "Name a corpus of the section `corpora`."),
    (
        "saes: {other: {source: checkpoint, format: sae_lens}}",
        "Say where the checkpoint is: `path` of local files, or `repo`, `folder` and `revision`.",
    ),
    ("model: {family: lama}", "Leave `family` out: it is read from `config.json`."),
    (
        "model: {revision: main}",
        "A branch moves. Name the commit, so that the run can be repeated.",
    ),
    ("corpora: {texts: {role: reference}}", "Give one corpus the role `main`."),
    ("corpora: {texts: {source: {kind: cvs}}}", "Take a kind of source that is known."),
    ("grid: [{layers: [3], positions: [x], saes: [8x]}]", "Take letters of the known positions."),
    ("grid: [{layers: [3], positions: [r], saes: [16x]}]", "Name an SAE of the section `saes`."),
    ("top_tokens: {cut: 1.5}", "A density is a share, so the cut lies below 1."),
    ("threads: {train: 0}", "Give at least one thread."),
    ("overrides: {L9R-8x: {top_tokens: {n: 5}}}", "Only cells of the grid can be overridden."),
)
"""Parts of a config laid over `GOOD`, one mistake each, and how to mend it."""
KINDS = (
    "saegrid.base.errors:ConfigError",
    "saegrid.base.errors:CheckpointError",
    "saegrid.base.paths:PathError",
    "saegrid.models.load:ModelError",
    "saegrid.models.forward:CaptureError",
    "saegrid.text.corpora.rows:CorpusError",
    "saegrid.text.chat:ChatError",
    "saegrid.text.lexicons.lexicon:LexiconError",
    "saegrid.text.wordlists:TopicsError",
    "saegrid.store.settings:StoreError",
    "saegrid.evidence.contrast:Unusable",
    "saegrid.metrics.metric:MetricsError",
    "saegrid.features.summary:StaleCell",
    "saegrid.stages.estimate:DiskError",
    "saegrid.metrics.verify:VerifyError",
    "saegrid.interventions.errors:InterventionError",
    "saegrid.interventions.search:SearchError",
    "saegrid.saes.pin:PinError",
    "saegrid.study:NotThere",
)
"""Classes of errors whose message is one sentence that says how to mend what is wrong."""


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """A config with another laid over it: sections are merged, null takes a key out, all else is
    replaced."""
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def messages(config: Mapping[str, Any]) -> list[str]:
    """All that is wrong with a config without a look at files, a sentence each."""
    reading = read(config)
    named = [one for one in names_mistakes(reading.study) if not reading.is_broken(one.key)]
    return list(dict.fromkeys(one.text for one in [*reading.mistakes, *named]))


@cache
def refusals() -> str:
    """The table of common mistakes: what stands in the config, what is said, how to mend it."""
    rows = []
    for part, mend in WRONG:
        said = messages(merged(yaml.safe_load(GOOD), yaml.safe_load(part)))
        rows.append((f"`{escaped(part)}`", " ".join(map(escaped, said)), mend))
    return table(("in the config", "message", "mend"), rows)


def errors() -> str:
    """The table of kinds of errors: the class, its room, and what its docstring says."""
    rows = []
    for place in KINDS:
        module, name = place.split(":")
        words = escaped((resolve_name(place).__doc__ or "").partition("\n\n")[0])
        rows.append((f"`{name}`", f"`{module}`", words))
    return table(("class", "module", "what"), rows)
