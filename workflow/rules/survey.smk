"""
Layers before any SAE; asked for as `layers`, no part of `all`.
IN   activations of all sites of the grid on the corpora in use, and on those that the config names
     beside (survey: corpora), captured or in a store
OUT  results/{study}/survey/layers.parquet      sum, max, average, norm, anisotropy of a site
     results/{study}/survey/dimensions.parquet  mean and deviation of each dimension, outliers
     results/{study}/survey/pairs.parquet       two corpora compared by these
     results/{study}/survey/passes.parquet      single tokens, to be laid over each other
     results/{study}/survey/base_rates.parquet  how common each topic is in a corpus
     results/{study}/survey.html                all of these as a page, with figures
"""


rule survey:
    input:
        lambda wildcards: PLAN.survey_inputs(),
    output:
        layers="results/{study}/survey/layers.parquet",
        dimensions="results/{study}/survey/dimensions.parquet",
        pairs="results/{study}/survey/pairs.parquet",
        passes="results/{study}/survey/passes.parquet",
    log:
        "logs/{study}/survey.log",
    benchmark:
        "logs/{study}/survey.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        spec=stage(PLAN.survey_spec),
    script:
        "../scripts/survey.py"


rule base_rates:
    input:
        lambda wildcards: PLAN.topics_inputs(),
    output:
        table="results/{study}/survey/base_rates.parquet",
    log:
        "logs/{study}/base_rates.log",
    benchmark:
        "logs/{study}/base_rates.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        spec=stage(PLAN.base_rates_spec),
    script:
        "../scripts/base_rates.py"


rule survey_page:
    input:
        unpack(lambda wildcards: PLAN.survey_tables()),
    output:
        page=report(
            "results/{study}/survey.html",
            caption="../report/survey.rst",
            category="Survey",
        ),
        figures=report(
            expand(
                "results/{{study}}/figures/{figure}.svg",
                figure=sorted(SURVEY_FIGURES),
            ),
            caption="../report/survey.rst",
            category="Survey",
        ),
    log:
        "logs/{study}/survey_page.log",
    benchmark:
        "logs/{study}/survey_page.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        spec=stage(PLAN.survey_page_spec),
    script:
        "../scripts/survey_page.py"
