"""
Text to tokens.
IN   the files of a corpus (csv, jsonl, parquet, text, hub, generated)
OUT  results/{study}/{corpus}/items.parquet      one row an item, with its labels
     results/{study}/{corpus}/set_aside.parquet  rows that cannot be used, with reasons
     results/{study}/{corpus}/corpus.json        counts and warnings
     results/{study}/{corpus}/selection.parquet  the filter
     results/{study}/{corpus}/selection.json     what it keeps, and what its sibling would
     results/{study}/{corpus}/tokens.parquet     one row a model input position
     results/{study}/{corpus}/spans.parquet      texts and edits in the rows
     results/{study}/{corpus}/tokens.json        counts
"""


rule items:
    input:
        ancient(lambda wildcards: PLAN.source_files(wildcards.corpus)),
    output:
        table=ensure("results/{study}/{corpus}/items.parquet", non_empty=True),
        set_aside="results/{study}/{corpus}/set_aside.parquet",
        facts="results/{study}/{corpus}/corpus.json",
    log:
        "logs/{study}/{corpus}/items.log",
    benchmark:
        "logs/{study}/{corpus}/items.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        spec=stage(PLAN.items_spec),
    script:
        "../scripts/items.py"


rule selection:
    input:
        table="results/{study}/{corpus}/items.parquet",
    output:
        selection=ensure("results/{study}/{corpus}/selection.parquet", non_empty=True),
        facts="results/{study}/{corpus}/selection.json",
    log:
        "logs/{study}/{corpus}/selection.log",
    benchmark:
        "logs/{study}/{corpus}/selection.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        spec=stage(PLAN.selection_spec),
    script:
        "../scripts/selection.py"


rule tokens:
    input:
        table="results/{study}/{corpus}/items.parquet",
        selection=lambda wildcards: PLAN.tokens_selection(wildcards.corpus),
    output:
        tokens=ensure("results/{study}/{corpus}/tokens.parquet", non_empty=True),
        spans="results/{study}/{corpus}/spans.parquet",
        facts="results/{study}/{corpus}/tokens.json",
    log:
        "logs/{study}/{corpus}/tokens.log",
    benchmark:
        "logs/{study}/{corpus}/tokens.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(20),
    params:
        spec=stage(PLAN.tokens_spec),
    script:
        "../scripts/tokens.py"
