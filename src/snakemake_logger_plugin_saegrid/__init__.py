"""The terminal's view of a run: one line a job, with the time, its number and its place.

Snakemake loads this package by its name where a profile says `logger: saegrid`. Its own log file in
`.snakemake/log` has every detail, and dry runs print the jobs as Snakemake does.
"""

import sys
import time
from logging import WARNING, LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

SILENT = {
    *(LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.RESOURCES_INFO, LogEvent.SHELLCMD),
    LogEvent.WORKFLOW_STARTED,
}
CHATTER = (
    *("Select jobs", "Using shell", "Assuming ", "Building DAG", "Conda environments", "Resuming"),
    *("Provided ", "Rules claiming", "Execute "),
)
"""Beginnings of messages that tell a reader nothing."""


class LogHandler(LogHandlerBase):
    """Prints to stderr one line a job, when it starts, and warnings and errors whole."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self.done = self.total = 0

    def emit(self, record: LogRecord) -> None:
        """Print a record, unless it tells a reader nothing."""
        text = self.text(record)
        if text and text != "None":
            print(text, file=sys.stderr, flush=True)

    def text(self, record: LogRecord) -> str:
        """The words of a record; empty where it is passed over."""
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self.total = record.stats.get("total", 0)
        if event == LogEvent.PROGRESS:
            self.done, self.total = record.done, record.total
            return ""
        if event == LogEvent.JOB_INFO and not record.output:
            return ""  # a target, which makes nothing and lists all that it asks for
        if self.common_settings.dryrun or record.levelno >= WARNING:
            return self.format(record)
        if event == LogEvent.JOB_INFO:
            return self.line(record)
        if event in SILENT or record.getMessage().startswith(CHATTER):
            return ""
        return self.format(record)

    def line(self, record: LogRecord) -> str:
        """Time, jobs that are done, rule and place of a job that starts."""
        places = [value for name, value in record.wildcards.items() if name != "study" and value]
        share = f"{self.done}/{self.total}"
        return " ".join([time.strftime("%H:%M:%S"), f"{share:>9}", record.rule_name, *places])
