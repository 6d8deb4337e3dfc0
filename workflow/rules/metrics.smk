"""
How well SAEs do on tokens that they did not learn from, and how other descriptions do.
IN   activations of the cell's site, the cell's SAE, tokens of the corpus, the model; of a streamed
     corpus the facts of the site's shards alone
OUT  results/{study}/{corpus}/cells/{cell}/metrics.json      numbers and health lights
     results/{study}/{corpus}/baselines/{site}.parquet       PCA and others at the cells' L0
     results/{study}/health.parquet, health.html             all SAEs, judged
     results/{study}/figures/{figure}.svg                    their plots
{corpus} is the one that the SAE learns from, of which texts were held out; for a checkpoint the
main one, of which a share is taken. Not part of `all` unless the config has `metrics: {all: true}`.
"""


rule measure:
    input:
        activations=unless_settled(PLAN.measured_activations),
        sae=lambda wildcards: PLAN.sae_files(wildcards.cell),
        tokens=lambda wildcards: PLAN.tokens_file(wildcards.corpus),
        model=ancient(lambda wildcards: PLAN.model_files()),
        verified=ancient(lambda wildcards: PLAN.verified_files(wildcards.cell)),
    output:
        metrics=ensure(
            "results/{study}/{corpus}/cells/{cell}/metrics.json", non_empty=True
        ),
    log:
        "logs/{study}/{corpus}/{cell}/measure.log",
    benchmark:
        "logs/{study}/{corpus}/{cell}/measure.tsv"
    priority: 1
    conda:
        "../../envs/core.yaml"
    threads: PLAN.study.threads.metrics
    resources:
        hub=lambda wildcards: PLAN.from_hub(wildcards.cell),
        gpu=PLAN.gpu(),
        mem_mb=growing(PLAN.memory_of_metrics()),
        runtime=growing(240),
    params:
        spec=stage(PLAN.metrics_spec),
    script:
        "../scripts/measure.py"


rule baselines:
    input:
        activations=unless_settled(PLAN.site_activations, PLAN.is_settled_site),
        metrics=lambda wildcards: PLAN.metrics_files(wildcards.corpus, wildcards.site),
        tokens=lambda wildcards: PLAN.tokens_file(wildcards.corpus),
    output:
        table=ensure(
            "results/{study}/{corpus}/baselines/{site}.parquet", non_empty=True
        ),
    log:
        "logs/{study}/{corpus}/baselines/{site}.log",
    benchmark:
        "logs/{study}/{corpus}/baselines/{site}.tsv"
    wildcard_constraints:
        site=SITE_PATTERN,
    conda:
        "../../envs/core.yaml"
    threads: PLAN.study.threads.metrics
    resources:
        mem_mb=growing(of_job(memory.baselines, PLAN, 4000)),
        runtime=growing(60),
    params:
        spec=stage(PLAN.baselines_spec),
    script:
        "../scripts/baselines.py"


rule health:
    input:
        metrics=lambda wildcards: PLAN.all_metrics(),
        baselines=lambda wildcards: PLAN.all_baselines(),
        histories=lambda wildcards: PLAN.histories(),
    output:
        table=ensure("results/{study}/health.parquet", non_empty=True),
        page=report(
            "results/{study}/health.html",
            caption="../report/health.rst",
            category="Health",
        ),
        figures=report(
            expand(
                "results/{{study}}/figures/{figure}.svg",
                figure=sorted(HEALTH_FIGURES),
            ),
            caption="../report/health.rst",
            category="Health",
        ),
    log:
        "logs/{study}/health.log",
    benchmark:
        "logs/{study}/health.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        spec=stage(PLAN.health_spec),
    script:
        "../scripts/health.py"
