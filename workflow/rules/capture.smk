"""
Tokens to activations, all sites in one pass of the model.
IN   results/{study}/{corpus}/tokens.parquet, spans.parquet, the model's checkpoint
OUT  results/{study}/{corpus}/activations/{capture}/{site}.safetensors
{capture} stands for all that decides the values but the list of sites: another model, text or
dtype writes elsewhere, and a layer more computes the new sites only (finished ones are kept as
hard links in the folder `store` beside them).
"""


rule capture:
    input:
        tokens="results/{study}/{corpus}/tokens.parquet",
        spans="results/{study}/{corpus}/spans.parquet",
        model=ancient(lambda wildcards: PLAN.model_files()),
    output:
        expand(
            "results/{{study}}/{{corpus}}/activations/{{capture}}/{site}.safetensors",
            site=PLAN.sites,
        ),
    log:
        "logs/{study}/{corpus}/capture-{capture}.log",
    benchmark:
        "logs/{study}/{corpus}/capture-{capture}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: PLAN.study.threads.capture
    resources:
        gpu=PLAN.gpu(),
        mem_mb=growing(16000),
        runtime=growing(240),
    params:
        spec=stage(PLAN.capture_spec),
    script:
        "../scripts/capture.py"
