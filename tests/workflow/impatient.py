"""Snakemake that asks SLURM every second what became of its jobs, for tests; else as it is."""

import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

# As it is, the pauses grow by ten seconds as long as nothing has finished.
RemoteExecutor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, _: None)

if __name__ == "__main__":
    main(sys.argv[1:])
