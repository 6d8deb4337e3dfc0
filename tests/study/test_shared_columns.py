"""Words for the columns of tables that no finished study of the tests has: by their schemas."""

import pytest

from saegrid.command.sharing.kinds import kinds, said_of, short
from saegrid.evidence.probes import labelled, schemas
from saegrid.evidence.units import local_table
from saegrid.evidence.units import table as units_table
from saegrid.interventions import agreement, choice_table, dose_table, filled, headline, pooled
from saegrid.interventions.search import by_prompt, ranking
from saegrid.meaning import atlas, by_concept, concepts, kin, published
from saegrid.meaning.clusters import tables as clusters
from saegrid.meaning.names import labels, run

SCHEMAS = {
    "steering_choice": choice_table.SCHEMA,
    "steering": dose_table.SCHEMA,
    "steering_texts": dose_table.TEXTS,
    "steering_summary": headline.SCHEMA,
    "steering_by_choice": pooled.SCHEMA,
    "filling": filled.SCHEMA,
    "filling_texts": filled.TEXTS,
    "agreement": agreement.SCHEMA,
    "names": run.SCHEMA,
    "names_contexts": run.CONTEXTS,
    "labels": labels.LABELS,
    "labels_agreement": labels.AGREEMENT,
    "concepts": concepts.SCHEMA,
    "combinations": by_concept.COMBINED,
    "concept_best": by_concept.BEST,
    "kin": kin.SCHEMA,
    "published": published.SCHEMA,
    "search": ranking.SCHEMA,
    "search_tokens": by_prompt.TOKENS,
    "kinds_by_cell": atlas.BY_CELL,
    "readout/texts": labelled.SCHEMA,
    "readout/probes/{site}": schemas.PROBES,
    "readout/selectivity/{site}": schemas.SELECTIVITY,
    "readout/lengths/{site}": schemas.LENGTHS,
    "readout/preserved/{site}": schemas.PRESERVED,
    "readout/gains/{site}": schemas.GAINS,
    "readout/units/{site}": units_table.SUMMARY,
    "readout/units/{site}-listed": units_table.LISTED,
    "readout/units/{site}-histograms": units_table.HISTOGRAMS,
    "readout/units/{site}-power": units_table.POWER,
    "readout/localisation/{site}-curves": local_table.CURVES,
    "readout/localisation/{site}-spread": local_table.SPREAD,
    "readout/localisation/{site}-stability": local_table.STABILITY,
    "readout/localisation/{site}-metric": local_table.METRIC,
    "readout/localisation/{site}-bands": local_table.BANDS,
    **{f"clusters/{{site}}/{name}": schema for name, schema in clusters.SCHEMAS.items()},
}
HOOKS = {
    "prompts": "theme prompts words words_mean tokens tokens_a_word unknown texts drawn special",
    "choice": "site layer n norm anisotropy sum max average one_sum middle trained best chosen",
    "features": "stratum feature n_active density max_activation mean_activation rank",
    "texts": "feature rank item id theme activation center tokens activations prompt",
    "clamps": "feature control arm value push targets share largest n_texts base delta_target "
    "delta_control specificity error kl kl_control",
    "clamped_texts": "feature arm id tokens target parts surprisal",
}
OTHERS = {
    "attribution": "feature attribution size rank activation n_prompts n_ablated effect",
    "attribution_examples": "feature prompt text token other attribution activation effect",
    "attribution_prompts": "prompt item text token other n_tokens n_features difference features "
    "error bias total without integrated",
    "ablation": "prompt feature effect attribution integrated activation drawn top whole "
    "attribution_rank activation_rank effect_rank",
    **{f"hooks/{name}": columns for name, columns in HOOKS.items()},
}
"""Columns of tables that are made without a schema."""
COLUMNS = {name: schema.names for name, schema in SCHEMAS.items()} | {
    name: columns.split() for name, columns in OTHERS.items()
}


@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_has_a_unit_and_words(name):
    (kind,) = (kind for _, kind in kinds() if short(kind.pattern) == name)
    said = {column: said_of(column, kind) for column in COLUMNS[name]}
    lacking = [c for c, words in said.items() if words is None or not (words.unit and words.words)]
    assert lacking == []
    assert [c for c, words in said.items() if words.words == "see the notes"] == []


@pytest.mark.parametrize(
    ("table", "column", "unit", "words"),
    [
        ("names", "null_detection", "balanced accuracy", "name of another feature"),
        ("hooks/clamps", "specificity", "nats", "delta_target less delta_control"),
        ("steering", "norm_share", "mean norms", "mean norm of the site"),
        ("readout/lengths/{site}", "saved", "share", "1 - bits / entropy"),
        ("clusters/{site}/clusterings", "nmi_chance", "information", "mean of nmi over shuffled"),
        ("search", "score", "number", "F1"),
    ],
)
def test_units_and_words_are_those_of_the_table(table, column, unit, words):
    (kind,) = (kind for _, kind in kinds() if short(kind.pattern) == table)
    said = said_of(column, kind)
    assert said.unit.startswith(unit) and words in said.words
