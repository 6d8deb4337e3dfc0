"""saegrid tables: the tables of a study in one zip, with a data sheet and digests."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from saegrid.base.errors import ConfigError, size
from saegrid.base.job import spare_pandas
from saegrid.base.progress.words import counted
from saegrid.command.bar import Bar
from saegrid.command.named import add_study
from saegrid.command.saying import refuse


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    out = argparse.ArgumentParser(
        prog="saegrid tables",
        description="The tables of a study in one zip: README.md says what each table and column "
        "is, where the data are from and how they were made; SHA256SUMS has their digests.",
        epilog="example: saegrid tables --study toy --out toy.zip",
    )
    add = out.add_argument
    add_study(out, corpus=False)
    add("--out", required=True, metavar="FILE.zip", help="the zip, which is replaced if it is "
        "there")  # fmt: skip
    add("--csv", action="store_true", help="tables as CSV; by default parquet, as they are")
    add("--licence", metavar="TEXT", help="licence under which you pass the tables on (default: "
        "`licence` of the study's config)")  # fmt: skip
    return out


def main(arguments: Sequence[str]) -> int:
    """Run the command; its exit status. A mistake is one sentence."""
    options = parser().parse_args(list(arguments))
    spare_pandas()
    from saegrid.command.sharing.tables import csv_size, tables_of, write_zip
    from saegrid.study import NotThere
    from saegrid.study.study import folder_of

    try:
        folder = folder_of(options.study, options.results)
        tables = tables_of(folder)
        if not tables:
            raise NotThere(f"{folder} has no tables. Make them with snakemake.")
        total = size(sum(table.bytes for table in tables))
        print(f"{counted(len(tables), 'table')}, {total} as parquet", flush=True)
        if options.csv:
            about = csv_size(folder, tables)
            print(
                f"about {size(about.text)} as CSV, {size(about.zipped)} of these in the zip",
                flush=True,
            )
        weights = {table.path.rpartition(".")[0]: table.bytes for table in tables}
        with Bar(weights, sys.stderr) as bar:
            written = write_zip(
                Path(options.out), folder, tables, options.licence, options.csv, bar.step
            )
    except (NotThere, ConfigError, OSError) as mistake:
        return refuse("tables", mistake)
    print(f"{options.out}: {size(written)}")
    return 0
