"""The terminal's view of a run: how far it is, each stage that is done, and what went wrong.

Snakemake loads this package by its name where a profile says `logger: saegrid`. Its own log file in
`.snakemake/log` has every detail, and dry runs print the jobs as Snakemake does.
"""

from logging import WARNING, LogRecord

from snakemake.logging import DefaultFilter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_saegrid.screen import Screen
from snakemake_logger_plugin_saegrid.view import View

SILENT = {
    *(LogEvent.JOB_STARTED, LogEvent.RESOURCES_INFO, LogEvent.SHELLCMD, LogEvent.PROGRESS),
    *(LogEvent.WORKFLOW_STARTED, LogEvent.GROUP_INFO),
}
CHATTER = (
    *("Select jobs", "Using shell", "Assuming ", "Building DAG", "Conda environments", "Resuming"),
    *("Provided ", "Rules claiming", "Execute ", "Elapsed time", "Shutting down", "Group jobs"),
    *("Singularity containers", "host: "),
)
"""Beginnings of messages that tell a reader nothing."""
ENDS = ("Exiting because a job execution failed", "At least one job did not complete")
"""Messages of Snakemake for what the end of a run says already."""


class LogHandler(LogHandlerBase):
    """Passes records on to the view of a run; warnings, errors and dry runs stay as they are."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        common = self.common_settings
        quiet = set(common.quiet or ())
        options = common.debug_dag, common.verbose, common.dryrun, common.printshellcmds
        self._filter = DefaultFilter(quiet, *options)
        self.view = View(
            Screen(colours=not common.nocolor),
            stages=not quiet & {Quietness.ALL, Quietness.RULES},
            progress=not quiet & {Quietness.ALL, Quietness.PROGRESS},
            failures=Quietness.ALL not in quiet,
        )

    def emit(self, record: LogRecord) -> None:
        """Show a record, unless it tells a reader nothing."""
        dryrun = self.common_settings.dryrun
        try:
            if not dryrun and self.passed_on(record):
                return  # also where --quiet hides it: jobs that fail must be known
            if self._filter.filter(record):
                self.view.say(self.listed(record) if dryrun else self.text(record))
        except Exception:  # a mistake in showing a run must not end it
            self.handleError(record)

    def passed_on(self, record: LogRecord) -> bool:
        """Return True of a record that changes the state of the run, which says what is shown."""
        event, view = getattr(record, "event", None), self.view
        if hasattr(record, "saegrid_run"):
            view.begin(record.saegrid_run)
        elif hasattr(record, "saegrid_end"):
            view.end(record.saegrid_end, record.getMessage())
        elif event == LogEvent.RUN_INFO:
            view.counts(record.stats)
        elif event == LogEvent.JOB_INFO:
            view.start(record)
        elif event == LogEvent.JOB_FINISHED:
            view.finish(record.job_id)
        elif event == LogEvent.JOB_ERROR:
            view.fail(record)
        elif event == LogEvent.GROUP_ERROR:
            view.fail_group(record)
        else:
            return event in SILENT
        return True

    def text(self, record: LogRecord) -> str:
        """The words of a record; empty where it is passed over."""
        text = record.getMessage()
        if text.startswith("Will exit after"):
            return self.view.once("The run stops when the jobs that run now have ended.")
        if text.startswith("Terminating processes"):
            self.view.is_interrupted = True
        if record.levelno >= WARNING:
            return self.view.problem(self.format(record), getattr(record, "exception", ""), ENDS)
        if text.startswith(CHATTER) or text == "None":
            return ""
        if text.startswith("Complete log"):
            return self.view.details(text)
        if text.startswith("Nothing to be done"):
            return self.view.nothing(text)
        return self.format(record)

    def listed(self, record: LogRecord) -> str:
        """The words of a record of a dry run."""
        event = getattr(record, "event", None)
        if (event == LogEvent.JOB_INFO and not record.output) or hasattr(record, "saegrid_run"):
            return ""  # a target, which makes nothing and lists all that it asks for
        text = self.format(record)
        silent = SILENT - {LogEvent.GROUP_INFO}  # jobs that a cluster takes as one
        is_chatter = event in silent or record.getMessage().startswith(CHATTER)
        return "" if text == "None" or (is_chatter and record.levelno < WARNING) else text

    def close(self) -> None:
        """End the view; Snakemake calls it when all records are shown."""
        self.view.close()
        super().close()
