"""The reason why a job failed, from the end of its log, in words."""

import re
from pathlib import Path
from typing import NamedTuple

TAIL = 20_000
"""Bytes at the end of a log that are read."""
RAISED = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Unusable|Interrupt|Exit|Warning)): ?(.*)")
"""The last line of a traceback."""
DONE = re.compile(r"^done: [\d.]+ s, ")
"""The last line of the log of a job that is done (`saegrid.base.job.start`)."""
KILLED = re.compile(r"exit status (137|-9)\b|SIGKILL|oom[-_]kill|OUT_OF_MEMORY")
"""Words on a process that was killed."""


class Known(NamedTuple):
    """A failure that is known by its words, with what helps."""

    pattern: str
    help: str


KNOWN = (
    Known(
        r"No space left on device|Disk quota exceeded|Errno 28|Errno 122",
        "The disk is full: make room, or let `results` be a link to a larger disk.",
    ),
    Known(
        r"CUDA out of memory|OutOfMemoryError",
        "The GPU's memory does not suffice: end what else runs on it, or set smaller batches "
        "(model.batch_tokens).",
    ),
    Known(
        r"MemoryError|oom[-_]kill|OUT_OF_MEMORY|Cannot allocate memory|std::bad_alloc",
        "The memory does not suffice: run fewer jobs at a time (--cores 1), or raise `memory` in "
        "the config.",
    ),
    Known(
        r"DUE TO TIME LIMIT|SLURM status is: 'TIMEOUT'",
        "The time limit of the cluster was too short: raise `runtime` under set-resources in the "
        "profile.",
    ),
    Known(
        r"Connection(Error| refused)|Max retries|Temporary failure in name resolution|"
        r"LocalEntryNotFound|OfflineMode|Network is unreachable",
        "The hub cannot be reached: fetch the files where there is a network, or name a local "
        "folder in the config.",
    ),
    Known(
        r"Permission denied|Read-only file system",
        "A file may not be written or read: look at its owner and rights.",
    ),
    Known(
        r"Incomplete input|Missing files after",
        "A file was not there in time: on a network disk raise latency-wait in the profile.",
    ),
)
"""Failures of the machine. Mistakes of a study say themselves how to mend them."""


def tail(path: str | Path) -> list[str]:
    """The last lines of a file, without empty ones; none where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]


def is_done(lines: list[str]) -> bool:
    """Return True if these are the last lines of the log of a job that is done."""
    return bool(lines) and DONE.match(lines[-1]) is not None


def raised(lines: list[str]) -> str:
    """The message of the exception that a log ends with, on one line; empty where it has none."""
    for number in range(len(lines) - 1, -1, -1):
        match = RAISED.match(lines[number])
        if match:
            kind = match[1].rpartition(".")[2]
            text = " ".join([match[2], *lines[number + 1 :]]).strip()
            plain = kind in ("ConfigError", "CheckpointError", "Unusable", "SystemExit")
            return text if plain and text else f"{kind}: {text}".rstrip(": ")
    return ""


def reason_of_group(path: str) -> str:
    """The reason why jobs failed that a cluster runs as one, by the log of their process: its last
    exception, or its last line, and what helps."""
    own = ("RuleException", "WorkflowError")  # Snakemake's, which say that a job failed
    lines = [line for line in tail(path) if not line.startswith(own)]
    last = lines[-1] if lines else "It ended without a word in its log."
    said = next((line for line in reversed(lines) if RAISED.match(line)), last)
    return "\n".join(part for part in (said, helps("\n".join([said, *lines]))) if part)


def helps(text: str) -> str:
    """The help against a failure that is known by its words; empty of any other."""
    return next((one.help for one in KNOWN if re.search(one.pattern, text)), "")


def has_failed(path: str) -> bool:
    """Return True if a log is that of a job that ended with an error."""
    lines = tail(path)
    return bool(lines) and not is_done(lines)


def is_recent(path: str, since: float) -> bool:
    """Return True if a file was written since a time (s, of 1970), or no time is named."""
    try:
        return not since or Path(path).stat().st_mtime >= since
    except OSError:
        return False


def reason(logs: list[str], message: str = "", command: str = "", since: float = 0.0) -> str:
    """The reason why a job failed: the end of its log, and what helps, a line each.

    Args:
        logs: paths of its log files, its own first.
        message: words of whoever ran the job, as a cluster's.
        command: words on how its process ended.
        since: when it began; older logs are of another job. 0 where clocks may differ.
    """
    recent = [path for path in logs if is_recent(path, since)]
    lines = [line for path in recent for line in tail(path)]
    own = tail(logs[0]) if logs and logs[0] in recent else []
    killed = KILLED.search(f"{message} {command}") is not None
    is_traced = any(line.startswith("Traceback (most recent call last)") for line in own)
    if is_done(own):
        said = "Its log says that it is done, but a file that it should have made is not there."
    elif own and (is_traced or not killed):
        said = raised(own) or own[-1]
    else:
        said = "It was killed from outside." if killed else "It ended without a word in its log."
        said += "".join(f" The log ends with: {line}" for line in own[-1:])
    help_ = helps("\n".join([said, message, *lines[-30:]]))
    if not help_ and killed and not is_traced:
        help_ = "That is most often because the memory did not suffice: use fewer --cores."
    return "\n".join(part for part in (said, " ".join(message.split()), help_) if part)
