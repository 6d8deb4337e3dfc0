"""
Tokens to activations, all sites in one pass of the model.
IN   results/{study}/{corpus}/tokens.parquet, spans.parquet, the model's checkpoint
OUT  results/{study}/{corpus}/activations/{capture}{shard}/{site}.safetensors
{capture} stands for all that decides the values but the list of sites: another model, text or
dtype writes elsewhere, and a layer more computes the new sites only (finished ones are kept as
hard links in the folder `store` beside them). {shard} is empty, or a part of the corpus such as
/shard-2-of-8. A model that does not fit in the job's memory runs block by block; the bytes are the
same.
"""


rule capture:
    input:
        tokens="results/{study}/{corpus}/tokens.parquet",
        spans="results/{study}/{corpus}/spans.parquet",
        model=ancient(lambda wildcards: PLAN.model_files()),
        verified=ancient(lambda wildcards: PLAN.verified_files()),
    output:
        expand(
            "results/{{study}}/{{corpus}}/activations/{{capture}}{{shard}}/{site}.safetensors",
            site=PLAN.sites,
        ),
    log:
        "logs/{study}/{corpus}/capture-{capture}{shard}.log",
    benchmark:
        "logs/{study}/{corpus}/capture-{capture}{shard}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: PLAN.study.threads.capture
    resources:
        gpu=PLAN.gpu(),
        mem_mb=growing(PLAN.study.memory.capture),
        runtime=growing(240),
    params:
        spec=stage(PLAN.capture_spec),
    script:
        "../scripts/capture.py"
