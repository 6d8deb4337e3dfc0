"""Facts of a study and its corpora for the index page."""

from collections.abc import Mapping
from typing import Any


def study_facts(settings: Mapping[str, Any], spec: str) -> dict[str, Any]:
    """Name, title, model and main corpus of a study, and the licences that its config has."""
    main, _ = settings["corpora"][0]
    names = ("study", "title", "model")
    known = {name: settings[name] for name in ("licence", "licences") if name in settings}
    return {name: settings[name] for name in names} | {"corpus": main, "spec": spec} | known


def corpus_facts(
    name: str,
    role: str,
    items: Mapping[str, Any],
    selection: Mapping[str, Any],
    tokens: Mapping[str, Any],
) -> dict[str, Any]:
    """Counts of a corpus before and after the filter, by both comparators (S0.3, S0.7).

    items, selection, tokens: corpus.json, selection.json, and what `counts_of_kept` gives.
    """
    compared = [selection, selection["sibling"]] if selection["sibling"] else []
    filters = [
        {
            "column": selection["column"],
            "comparator": f"{one['comparator']} {selection['value']:g}",
            "kept": one["kept"],
        }
        for one in compared
    ]
    kept = tokens["kept"]
    return {
        "name": name,
        "role": role,
        "total": selection["total"],
        "filters": filters,
        "tokens_per_text": {"mean": kept["tokens_mean"], "max": kept["tokens_max"]},
        "n_set_aside": sum(items["set_aside"].values()),
        "has_edits": kept["pairs"] > 0,
        **(_edits(kept) if kept["pairs"] else {}),
    }


def _edits(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Counts that plain text does not have."""
    return {
        "n_masked": kept["masked_edited"],
        "n_replaced": kept["masked_original"],
        "edit_lengths": kept["edit_lengths"],
    }
