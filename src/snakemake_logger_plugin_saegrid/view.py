"""The state of a run as Snakemake's records tell it, and when which line of it is shown."""

import threading
import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from logging import LogRecord
from pathlib import Path

from saegrid.base.progress import record as kept
from saegrid.base.progress import saying
from saegrid.base.progress.reasons import has_failed, reason, reason_of_group
from saegrid.base.progress.run import Failure, Run, Task
from saegrid.base.progress.times import seconds_of
from saegrid.base.progress.words import clock
from snakemake_logger_plugin_saegrid.problems import plain
from snakemake_logger_plugin_saegrid.screen import Screen

SECOND = 1.0
"""Seconds between two looks at the clock."""
LEAST, MOST = 60.0, 600.0
"""Seconds between two lines in a file: a twentieth of the run's time so far, within these."""
SLACK = 2.0
"""Seconds by which a log may seem older than its job."""
GROUPED = "Another job of its group failed; it is made again with it."
APART = ("study",)
"""Wildcards that do not tell the jobs of a run apart."""


class View:
    """A run on a screen.

    stages: say each stage that is done. progress: say how far the run is. failures: say each job
    that fails.
    """

    def __init__(
        self, screen: Screen, stages: bool = True, progress: bool = True, failures: bool = True
    ) -> None:
        self.screen, self.stages = screen, stages
        self.progress, self.failures = progress, failures
        self.run = Run(began=time.time())
        self.is_interrupted = False
        """Jobs are ended on request: that they fail says nothing."""
        self._benchmarks: dict[int, str] = {}
        self._shown = self._written = time.time()
        self._has_ended, self._command = False, ""
        self._once: set[str] = set()
        self.grouped: set[int] = set()
        """Jobs of groups that failed, as a cluster runs them: each is told as failed."""
        self._lock, self._stop = threading.RLock(), threading.Event()
        self._thread: threading.Thread | None = None

    # --- records ---------------------------------------------------------------------------

    def begin(self, run: Run) -> None:
        """Take over what the study says of the run: its stages, times of earlier ones, its page."""
        with self._lock:
            self.run = replace(deepcopy(run), began=self.run.began)

    def counts(self, stats: Mapping[str, int]) -> None:
        """Take over the number of jobs of each rule, and begin to show the time."""
        with self._lock:
            self.run.totals = {rule: n for rule, n in stats.items() if rule != "total"}
            if self._thread is None:
                self._thread = threading.Thread(target=self._tick, daemon=True)
                self._thread.start()

    def start(self, record: LogRecord) -> None:
        """A job begins."""
        with self._lock:
            name = record.rule_name
            if not record.output:  # a target
                self.run.totals.pop(name, None)
                return
            places = [v for k, v in record.wildcards.items() if k not in APART and v]
            weight = record.threads if self.run.local else 1
            log = record.log[0] if record.log else ""
            task = Task(name, " ".join(places), log, weight, time.time())
            self.run.start(record.jobid, task)
            self._benchmarks[record.jobid] = record.benchmark or ""
            self._renew()

    def finish(self, number: int) -> None:
        """A job is done; of the last one of a stage a line is said."""
        with self._lock:
            task = self.run.finish(number, time.time())
            if task is None:
                return
            if not self.run.local:  # it may have waited for its turn
                measured = seconds_of(self._benchmarks.get(number, ""))
                self.run.seconds[task.stage][-1:] = [] if measured is None else [measured]
            if self.run.is_whole(task.stage) and self.stages:
                self.screen.say([saying.stage(self.run, task.stage, time.time())])
            self._renew()

    def fail(self, record: LogRecord) -> None:
        """A job has failed."""
        with self._lock:
            task = self.run.running.get(record.jobid) or Task(record.rule_name)
            if self.is_interrupted:
                self.run.running.pop(record.jobid, None)
                return
            logs = [str(path) for path in record.log]
            if record.jobid in self.grouped and not has_failed(task.log):
                self.run.fail(record.jobid, Failure(task, GROUPED))
                return
            since = task.began - SLACK if self.run.local else 0.0
            why = reason(logs, str(record.rule_msg or ""), self._command, since)
            self._command = ""
            self.run.fail(record.jobid, Failure(task, why))
            if self.failures:
                self.screen.say(saying.failure(self.run.failed[record.jobid], time.time()))
            self._renew()

    def fail_group(self, record: LogRecord) -> None:
        """Jobs that a cluster runs as one have failed. Their process' log says why where none of
        theirs does: a job that was killed, or that could not begin, has written none."""
        with self._lock:
            numbers = [one["jobid"] for one in record.job_error_info]
            self.grouped |= set(numbers)
            tasks = [self.run.running[n] for n in numbers if n in self.run.running]
            logs = [str(path) for path in getattr(record, "aux_logs", None) or []]
            is_said = self.is_interrupted or not self.failures
            if is_said or not logs or any(has_failed(task.log) for task in tasks):
                return
            stages = ", ".join(dict.fromkeys(task.stage for task in tasks))
            failure = Failure(Task(stages, "", logs[0]), reason_of_group(logs[0]))
            self.screen.say(saying.failure(failure, time.time()))

    def end(self, success: bool, text: str = "") -> None:
        """The run has ended: what came of it, and what to open."""
        with self._lock:
            self._has_ended = True
            self.screen.renew("")
            shown = self.run.totals and (self.progress or (self.failures and not success))
            lines = saying.end(self.run, time.time(), success) if shown else []
            self.screen.say([*lines, *filter(None, text.splitlines())])
            stopped = self.is_interrupted or not self.run.failed
            self._keep("done" if success else "stopped" if stopped else "failed")

    # --- other words -----------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Other words of Snakemake or the study."""
        if text:
            with self._lock:
                self.screen.say([text])

    def problem(self, text: str, exception: str, ends: tuple[str, ...]) -> str:
        """A warning or an error; empty where a failed job or the end has said it."""
        if any(end in text for end in ends) and (self._has_ended or self.run.failed):
            return ""
        if exception == "RuleException" and "CalledProcessError" in text:
            self._command = text  # the job's error follows
            return ""
        return plain(text, exception, self.run.study)

    def once(self, text: str) -> str:
        """Words that are said once in a run; empty the second time."""
        known, self._once = text in self._once, {*self._once, text}
        return "" if known else text

    def details(self, text: str) -> str:
        """The place of Snakemake's own log, of a run that did not end well."""
        here = text.replace("Complete log(s)", "Every detail").replace(f"{Path.cwd()}/", "")
        return here if self.run.failed else ""

    def nothing(self, text: str) -> str:
        """There is nothing to do: which page there is."""
        page = self.run.page
        return "\n".join([text, f"Open {page}"]) if page else text

    # --- time ------------------------------------------------------------------------------

    def _tick(self) -> None:
        while not self._stop.wait(SECOND):
            with self._lock:
                if not self._has_ended:
                    self._renew(changed=False)

    def _renew(self, changed: bool = True) -> None:
        """Show how far the run is: on a terminal now, in a file once in a while."""
        now = time.time()
        if now - self._written >= kept.EVERY or (changed and now - self._written >= SECOND):
            self._keep()
        if not self.progress:
            return
        if self.screen.renews:
            self.screen.renew(saying.line(self.run, now, self.screen.width))
        elif now - self._shown >= min(MOST, max(LEAST, (now - self.run.began) / 20)):
            self._shown = now
            self.screen.say([f"{clock(now)}  {saying.line(self.run, now, self.screen.width - 10)}"])

    def _keep(self, ended: str = "") -> None:
        self._written = time.time()
        if self.run.study and self.run.whole:
            kept.write(self.run, ended)

    def close(self) -> None:
        """Show nothing more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * SECOND)
        with self._lock:
            self.screen.renew("")
            if self._thread is not None and not self._has_ended:
                self._keep("stopped")
