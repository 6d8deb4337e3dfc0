"""saegrid status: how far a study is, from another terminal or machine.

It reads the record that a run keeps in `logs/{study}/run.json`, and the logs of its jobs; it starts
nothing and locks nothing.
"""

import argparse
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from saegrid.base.errors import ConfigError
from saegrid.base.progress import record as kept
from saegrid.base.progress.folder import coordinators, unlocking
from saegrid.base.progress.reasons import tail
from saegrid.base.progress.run import Left
from saegrid.base.progress.saying import forecast
from saegrid.base.progress.words import clock, fit, span
from saegrid.command.saying import refuse

WIDTH = 80
"""Characters of a line."""
INDENTED = {"initial_indent": "    ", "subsequent_indent": "    "}
"""Options of `textwrap.wrap` for what stands below a job."""
MANY = 20
"""Jobs of a kind that are listed."""


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    out = argparse.ArgumentParser(
        prog="saegrid status",
        description=(
            "How far is a study? Its stages with the jobs that are done, run, failed and are left, "
            "what the running ones last said, and how to go on. It reads files only, so it can be "
            "asked on another machine that sees this folder."
        ),
        epilog="example: saegrid status --study toy",
    )
    out.add_argument(
        "--study", metavar="NAME", help="name of the study (default: the last one run)"
    )
    return out


def studies() -> list[str]:
    """The studies of this folder that have a record, the last one run first."""
    records = sorted(Path("logs").glob("*/run.json"), key=lambda p: -p.stat().st_mtime)
    return [path.parent.name for path in records]


def head(content: Mapping[str, Any], now: float) -> str:
    """The state of a run: since when it goes on, or how it ended."""
    name, where = content["study"], f"{content['host']}, process {content['pid']}"
    if kept.is_alive(content, now):
        left = Left.read(content["left"]) if content["left"] else None
        ago = span(now - content["began"])
        return f"{name}: runs since {ago} ({where}); {forecast(left)}."
    took = f"after {span(content['written'] - content['began'])}"
    words = {
        "done": f"done {took}",
        "failed": f"stopped {took}, for jobs failed",
        "stopped": f"stopped {took}",
        "": f"killed, last seen {span(now - content['written'])} ago ({where})",
    }
    return f"{name}: {words[content['ended']]}."


def table(content: Mapping[str, Any], alive: bool) -> Iterator[str]:
    """A line for each stage: jobs that are done, running, failed and left, with their sum."""
    stages = {name: (done, total) for name, (done, total) in content["stages"].items()}
    running = [task["stage"] for task in content["running"]] if alive else []
    failed = [task["stage"] for task in content["failed"]]
    yield f"{'stage':<24}{'done':>9}{'running':>9}{'failed':>9}{'left':>9}"
    sums = [0, 0, 0, 0]
    for name, (done, total) in stages.items():
        busy, bad = running.count(name), failed.count(name)
        row = [done, busy, bad, max(0, total - done - busy - bad)]
        sums = [a + b for a, b in zip(sums, row, strict=True)]
        yield f"{name:<24}" + "".join(f"{n or '-':>9}" for n in row)
    yield f"{'all':<24}" + "".join(f"{n or '-':>9}" for n in sums)


def running(content: Mapping[str, Any], now: float) -> Iterator[str]:
    """The running jobs: since when, and the last line of each log."""
    for task in content["running"][:MANY]:
        name = f"{task['stage']} {task['place']}".strip()
        said = tail(task["log"])[-1:] if _is_newer(task["log"], task["began"]) else []
        yield f"  {name}, {span(now - task['began'])}"
        yield from wrap("".join(said) or "no word in its log yet", WIDTH, **INDENTED)
    if len(content["running"]) > MANY:
        yield f"  and {len(content['running']) - MANY} more"


def _is_newer(path: str, began: float) -> bool:
    """Return True if a log is of the present job, not of an earlier one."""
    try:
        return Path(path).stat().st_mtime >= began - 1
    except OSError:
        return False


def failures(content: Mapping[str, Any]) -> Iterator[str]:
    """The failed jobs, with the reason and the log of each."""
    for task in content["failed"][:MANY]:
        yield f"  {task['stage']} {task['place']}".rstrip()
        for line in task["reason"].splitlines():
            yield from wrap(line, WIDTH, **INDENTED)
        yield f"    log: {task['log']}"
    if len(content["failed"]) > MANY:
        yield f"  and {len(content['failed']) - MANY} more"


def runs_beside(name: str, known: Sequence[str]) -> str:
    """The living runs of this folder that a study's record does not show as alive: those of other
    studies by their records, those that are starting, and one that has stopped writing its own."""
    records: dict[int, tuple[str, Mapping[str, Any]]] = {}
    for study in reversed(known):  # of two with one process the newer counts
        content = kept.read(study)
        if content and content["host"] == socket.gethostname():
            records[content["pid"]] = study, content
    sentences = []
    for pid in coordinators(Path.cwd()):
        study, content = records.get(pid, ("", {"ended": ""}))
        if not study:
            sentences.append(f"A run is starting here (process {pid}).")
        elif study != name and not content["ended"]:
            sentences.append(f"A run of {study} goes on here (process {pid}).")
        elif not content["ended"] and not kept.is_alive(content, time.time()):
            sentences.append(f"Its process {pid} is still there, and writes nothing.")
    return " ".join(sentences)


def next_step(content: Mapping[str, Any], alive: bool, beside: str = "") -> str:
    """The next thing to do; empty while the run goes on. beside: sentences of `runs_beside`."""
    if alive or beside:
        return beside
    if content["ended"] == "done":
        page = content["page"]
        return f"Open {page}" if Path(page).is_file() else ""
    locked = any(Path(".snakemake/locks").glob("*"))
    if locked and not content["ended"]:
        known = content.get("configs")  # a record of an earlier version has none
        command = "snakemake --unlock" if known is None else unlocking(known)
        with_ = " with the same --configfile" * (known is None)
        unlock = (
            f"If no other run goes on in this folder, `{command}`{with_} removes the lock that it "
            "left. "
        )
    else:
        unlock = ""
    first = "Mend what the reasons say, then give" if content["failed"] else "Give"
    return f"{unlock}{first} the same command again: what is done stays."


def report(content: Mapping[str, Any], now: float, beside: str = "") -> Iterator[str]:
    """The lines of the command. beside: sentences of `runs_beside`."""
    alive = kept.is_alive(content, now)
    yield head(content, now)
    yield ""
    yield from table(content, alive)
    if alive and content["running"]:
        yield ""
        yield f"Running, as of {clock(content['written'])}:"
        yield from running(content, now)
    if content["failed"]:
        yield ""
        yield "Failed:"
        yield from failures(content)
    step = next_step(content, alive, beside)
    if step:
        yield ""
        yield from wrap(step, WIDTH)


def of_files(name: str) -> Iterator[str]:
    """The lines where no run has left a record: files that are there, and logs that end early."""
    from saegrid.stages.standing import standing  # reads the study, which takes a second

    known = standing(name)
    yield f"{name}: no run has left a record here; these are the files that are there."
    yield ""
    yield f"{'stage':<24}{'done':>9}{'left':>9}"
    rows = {**known.stages, "all": tuple(map(sum, zip(*known.stages.values(), strict=True)))}
    for stage, (done, total) in rows.items():
        yield f"{stage:<24}{done or '-':>9}{total - done or '-':>9}"
    if known.begun:
        yield ""
        yield "Begun and not done, with the last line of the log:"
        for job, log in known.begun[:MANY]:
            yield fit(f"  {job}: {tail(log)[-1]}", WIDTH)
            yield f"    log: {log}"
        if len(known.begun) > MANY:
            yield f"  and {len(known.begun) - MANY} more"


def lines(name: str, known: Sequence[str]) -> Iterator[str]:
    """The lines of the command; ConfigError where nothing is known of the study."""
    content, beside = kept.read(name) if name else None, runs_beside(name, known)
    if content is not None:
        yield from report(content, time.time(), beside)
    elif name and Path("results", name, "config.json").is_file():
        yield from of_files(name)
        yield from filter(None, ["" if not beside else "\n" + beside])
    elif beside:
        yield f"{name or 'any study'}: no run has left a record here yet."
        yield beside
    else:
        which = f"study {name}" if name else "any study"
        where = Path("logs").resolve()
        others = f"Known here: {', '.join(known)}." if known else "Ask where snakemake was started."
        raise ConfigError(f"No run of {which} has left a record in {where}. {others}")


def main(arguments: Sequence[str]) -> int:
    """Print how far a study is; the exit status is 0, or 1 where nothing is known of it."""
    asked, known = parser().parse_args(arguments), studies()
    try:
        text = "\n".join(lines(asked.study or next(iter(known), ""), known))
    except ConfigError as problem:
        return refuse("status", problem)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever reads it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
