"""Wall times of earlier jobs, from their benchmark files."""

import re
from collections.abc import Mapping
from pathlib import Path
from statistics import median


def seconds_of(path: str | Path) -> float | None:
    """Wall time of a job in seconds, by its benchmark file; None where it is gone or damaged."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    head, *rows = text.splitlines() or [""]
    time = rows[-1].partition("\t")[0] if rows else ""
    return float(time) if head.startswith("s\t") and re.fullmatch(r"\d+(\.\d+)?", time) else None


def earlier(folder: Path) -> Mapping[str, float]:
    """Median wall time of the jobs of each rule in seconds, from the benchmark files of a study. A
    damaged file counts for nothing."""
    seconds: dict[str, list[float]] = {}
    for path in folder.rglob("*.tsv"):
        time = seconds_of(path)
        if time is not None:
            named = path.parent if path.name.startswith("shard-") else path
            rule = named.name.partition("-")[0].removesuffix(".tsv")
            seconds.setdefault(rule, []).append(time)
    return {rule: median(values) for rule, values in seconds.items()}
