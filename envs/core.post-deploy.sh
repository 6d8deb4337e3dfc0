#!/usr/bin/env bash
# The library itself, from the checkout in which Snakemake runs.
set -euo pipefail
python -m pip install --no-deps --editable .
