"""Options by which a command names a finished study, alike in all commands."""

import argparse


def add_study(parser: argparse.ArgumentParser, corpus: bool = True) -> None:
    """Add --study and --results, and --corpus where a command is about one corpus."""
    add = parser.add_argument
    add("--study", required=True, help="name of the study, a folder of --results")
    add("--results", default="results", help="folder of the studies (default: results)")
    if corpus:
        add("--corpus", help="corpus of the study (default: the main one)")
