"""Errors of Snakemake itself in words that say how to go on."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from saegrid.base.progress import record
from saegrid.base.progress.folder import config_files, coordinators, unlocking

NO_YAML = "Config file is not valid JSON or YAML"


def plain(text: str, exception: str, study: str) -> str:
    """The text of an error, or a plainer one where what is known of the run says more."""
    if exception == "LockException" or "cannot be locked" in text:
        return locked(text, study)
    if NO_YAML in text:
        return "\n".join(no_yaml(config_files(sys.argv[1:]))) or text
    return text


def locked(text: str, study: str) -> str:
    """A folder that is locked, with what the record says of the run that locked it."""
    content = record.read(study) if study else None
    if content is None:
        return text
    where = f"{content['host']}, process {content['pid']}"
    if record.is_alive(content, time.time()):
        return (
            f"Directory cannot be locked: another run of {study} goes on ({where}). Wait until it "
            "has ended; "
            f"`saegrid status --study {study}` says how far it is."
        )
    others = coordinators(Path.cwd())
    if others:
        return (
            "Directory cannot be locked: another run is starting or goes on in this folder "
            f"(process {', '.join(map(str, others))}). Wait until it has ended."
        )
    return (
        "Directory cannot be locked: a run that was killed has left its lock, or one of another "
        f"machine goes on. The last run of {study} ({where}) has ended. If none goes on here, "
        f"`{unlocking(config_files(sys.argv[1:]))}` removes the lock; then give the command "
        "again. What is done stays."
    )


def no_yaml(paths: Sequence[str]) -> list[str]:
    """A sentence for each of these configs that is no YAML, with its line."""
    from saegrid.config.yaml import mistakes

    return [sentence for path in paths for sentence in mistakes(path)]
