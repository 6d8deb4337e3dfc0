"""Stages of a study, one file each, and what follows from them.

A stage added later has `config` and `ends`, and a line in `ANALYSES` too; see CONTRIBUTING.md.
"""

from collections.abc import Mapping
from functools import cache
from pkgutil import resolve_name
from typing import Any

STAGES = {
    "items": "saegrid.stages.items:ITEMS",
    "selection": "saegrid.stages.selection:SELECTION",
    "continuations": "saegrid.stages.continuations:CONTINUATIONS",
    "tokens": "saegrid.stages.tokens:TOKENS",
    "verify_checkpoint": "saegrid.stages.verify_checkpoint:VERIFY_CHECKPOINT",
    "vocabulary": "saegrid.stages.vocabulary:VOCABULARY",
    "capture": "saegrid.stages.capture:CAPTURE",
    "surprisal": "saegrid.stages.surprisal:SURPRISAL",
    "fill_store": "saegrid.stages.fill_store:FILL_STORE",
    "begin_store": "saegrid.stages.begin_store:BEGIN_STORE",
    "survey": "saegrid.stages.survey:SURVEY",
    "base_rates": "saegrid.stages.base_rates:BASE_RATES",
    "train_together": "saegrid.stages.train_together:TRAIN_TOGETHER",
    "train_sae": "saegrid.stages.train_sae:TRAIN_SAE",
    "import_sae": "saegrid.stages.import_sae:IMPORT_SAE",
    "import_dashboards": "saegrid.stages.import_dashboards:IMPORT_DASHBOARDS",
    "encode": "saegrid.stages.encode:ENCODE",
    "merge": "saegrid.stages.merge:MERGE",
    "density": "saegrid.stages.density:DENSITY",
    "top_tokens": "saegrid.stages.top_tokens:TOP_TOKENS",
    "concepts": "saegrid.stages.concepts:CONCEPTS",
    "concept_map": "saegrid.stages.concept_map:CONCEPT_MAP",
    "logit_effects": "saegrid.stages.logit_effects:LOGIT_EFFECTS",
    "kin": "saegrid.stages.kin:KIN",
    "published": "saegrid.stages.published:PUBLISHED",
    "published_summary": "saegrid.stages.published_summary:PUBLISHED_SUMMARY",
    "measure": "saegrid.stages.measure:MEASURE",
    "baselines": "saegrid.stages.baselines:BASELINES",
    "health": "saegrid.stages.health:HEALTH",
    "survey_page": "saegrid.stages.survey_page:SURVEY_PAGE",
    "nuisances": "saegrid.stages.nuisances:NUISANCES",
    "analysis_plan": "saegrid.stages.analysis_plan:ANALYSIS_PLAN",
    "contrasts": "saegrid.stages.contrasts:CONTRASTS",
    "tests": "saegrid.stages.tests:TESTS",
    "concept_effects": "saegrid.stages.concept_effects:CONCEPT_EFFECTS",
    "themes": "saegrid.stages.themes:THEMES",
    "filling": "saegrid.stages.filling:FILLING",
    "probes_texts": "saegrid.stages.probes_texts:PROBES_TEXTS",
    "probes": "saegrid.stages.probes:PROBES",
    "probes_summary": "saegrid.stages.probes_summary:PROBES_SUMMARY",
    "names": "saegrid.stages.names:NAMES",
    "clusters": "saegrid.stages.clusters:CLUSTERS",
    "clusters_page": "saegrid.stages.clusters_page:CLUSTERS_PAGE",
    "hooks": "saegrid.stages.hooks:HOOKS",
    "hooks_clamps": "saegrid.stages.hooks_clamps:HOOKS_CLAMPS",
    "hooks_report": "saegrid.stages.hooks_report:HOOKS_REPORT",
    "steering": "saegrid.stages.steering:STEERING",
    "steering_page": "saegrid.stages.steering_page:STEERING_PAGE",
    "attribution": "saegrid.stages.attribution:ATTRIBUTION",
    "search": "saegrid.stages.search:SEARCH",
    "readout_texts": "saegrid.stages.readout_texts:READOUT_TEXTS",
    "readout_padded": "saegrid.stages.readout_padded:READOUT_PADDED",
    "readout_vectors": "saegrid.stages.readout_vectors:READOUT_VECTORS",
    "readout_codes": "saegrid.stages.readout_codes:READOUT_CODES",
    "readout_probes": "saegrid.stages.readout_probes:READOUT_PROBES",
    "readout_units": "saegrid.stages.readout_units:READOUT_UNITS",
    "readout_localisation": "saegrid.stages.readout_localisation:READOUT_LOCALISATION",
    "readout": "saegrid.stages.readout:READOUT",
    "page": "saegrid.stages.page:PAGE",
    "findings": "saegrid.stages.findings:FINDINGS",
    "summary": "saegrid.stages.summary:SUMMARY",
    "summary_by_corpus": "saegrid.stages.summary_by_corpus:SUMMARY_BY_CORPUS",
    "plot": "saegrid.stages.plot:PLOT",
    "map": "saegrid.stages.map:MAP",
    "index": "saegrid.stages.index:INDEX",
}
"""Stages by name, in the order in which they run."""

ANALYSES: dict[str, str] = {
    "tests": "saegrid.stages.tests:Settings",
    "probes": "saegrid.stages.probes:Settings",
    "kin": "saegrid.stages.kin:Section",
    "published": "saegrid.stages.published:Settings",
    "names": "saegrid.stages.names:Settings",
    "clusters": "saegrid.stages.clusters:Settings",
    "hooks": "saegrid.stages.hooks:Settings",
    "steering": "saegrid.stages.steering:Settings",
    "attribution": "saegrid.stages.attribution:Settings",
    "filling": "saegrid.stages.filling:Settings",
    "search": "saegrid.stages.search:Settings",
    "readout": "saegrid.stages.readout:Settings",
}
"""Optional stages, and the class of their section of the config."""


@cache
def load() -> Mapping[str, Any]:
    """All stages by name."""
    return {name: resolve_name(place) for name, place in STAGES.items()}
