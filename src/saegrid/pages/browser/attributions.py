"""The prompts on which each feature has its largest attributions, as rows of a panel."""

from typing import Any

import pyarrow as pa


def of_features(table: pa.Table) -> dict[int, list[dict[str, Any]]]:
    """The rows of each feature, of attribution_examples.parquet."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for one in table.to_pylist():
        effect = one["effect"]
        row = {
            "after": f"…{one['text']}",
            "token": one["token"],
            "against": one["other"],
            "attribution": round(one["attribution"], 3),
            "ablation": None if effect is None else round(effect, 3),
            "activation": round(one["activation"], 2),
        }
        rows.setdefault(one["feature"], []).append(row)
    return rows
