"""
What people look at.
IN   the tables of all cells and of the corpus
OUT  results/{study}/{corpus}/cells/{cell}/features.html  the feature browser of a cell
     results/{study}/summary.parquet                      one row a cell; refuses stale cells
     results/{study}/index.html                           the grid, with links
     results/{study}/figures/{figure}.svg                 the plots
"""


rule page:
    input:
        features="results/{study}/{corpus}/cells/{cell}/features.safetensors",
        table="results/{study}/{corpus}/cells/{cell}/features.parquet",
        top="results/{study}/{corpus}/cells/{cell}/top_tokens.parquet",
        examples="results/{study}/{corpus}/cells/{cell}/examples.parquet",
        topics="results/{study}/{corpus}/cells/{cell}/topics.parquet",
        logits="results/{study}/{corpus}/cells/{cell}/logit_effects.parquet",
        tokens="results/{study}/{corpus}/tokens.parquet",
        selection="results/{study}/{corpus}/selection.parquet",
        corpus_items="results/{study}/{corpus}/items.parquet",
    output:
        page=ensure(
            "results/{study}/{corpus}/cells/{cell}/features.html", non_empty=True
        ),
    log:
        "logs/{study}/{corpus}/{cell}/page.log",
    benchmark:
        "logs/{study}/{corpus}/{cell}/page.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        spec=stage(PLAN.page_spec),
    script:
        "../scripts/page.py"


rule summary:
    input:
        lambda wildcards: PLAN.table_files(),
    output:
        summary=ensure("results/{study}/summary.parquet", non_empty=True),
    log:
        "logs/{study}/summary.log",
    benchmark:
        "logs/{study}/summary.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        spec=stage(PLAN.summary_spec),
    script:
        "../scripts/summary.py"


rule index:
    input:
        **PLAN.facts_files(),
        summary="results/{study}/summary.parquet",
        figures=lambda wildcards: PLAN.figure_targets(),
    output:
        page=report(
            "results/{study}/index.html",
            caption="../report/index.rst",
            category="Grid",
        ),
    log:
        "logs/{study}/index.log",
    benchmark:
        "logs/{study}/index.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        spec=stage(PLAN.index_spec),
    script:
        "../scripts/index.py"


rule plot:
    input:
        **PLAN.facts_files(),
        summary="results/{study}/summary.parquet",
        tables=lambda wildcards: PLAN.cell_files(["features.parquet"]),
    output:
        report(
            expand("results/{{study}}/figures/{figure}.svg", figure=sorted(FIGURES)),
            caption="../report/figures.rst",
            category="Figures",
        ),
    log:
        "logs/{study}/plot.log",
    benchmark:
        "logs/{study}/plot.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        spec=stage(PLAN.plot_spec),
    script:
        "../scripts/plot.py"
