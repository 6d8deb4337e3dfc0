"""
Streamed text to activations, all sites in one pass of the model.
IN   the files of a corpus of role train that has `store`, or the hub; the model's checkpoint
OUT  results/{study}/{corpus}/store/{capture}/{site}.json   counts and checksums of a site's shards
     .../{site}.begun.json      stands for it where trainings fill it (store: {beside: true})
Beside these lie manifest.json and the shards, {site}/00000.safetensors and so on: they are no
outputs, since Snakemake removes outputs before a job. A store goes on where it was killed, and grows
when more text or another site is asked for. {capture} stands for all that decides the bytes, but not
for how far the store goes.
"""


rule fill_store:
    input:
        source=ancient(lambda wildcards: PLAN.source_files(wildcards.corpus)),
        model=ancient(lambda wildcards: PLAN.model_files()),
        verified=ancient(lambda wildcards: PLAN.verified_files()),
    output:
        expand(
            "results/{{study}}/{{corpus}}/store/{{capture}}/{site}.json",
            site=PLAN.sites,
        ),
    log:
        "logs/{study}/{corpus}/store-{capture}.log",
    benchmark:
        "logs/{study}/{corpus}/store-{capture}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: PLAN.study.threads.capture
    resources:
        gpu=PLAN.gpu(),
        mem_mb=growing(PLAN.study.memory.capture),
        runtime=growing(600),
    params:
        spec=stage(PLAN.store_spec),
    script:
        "../scripts/fill_store.py"


rule begin_store:
    input:
        source=ancient(lambda wildcards: PLAN.source_files(wildcards.corpus)),
        model=ancient(lambda wildcards: PLAN.model_files()),
        verified=ancient(lambda wildcards: PLAN.verified_files()),
    output:
        expand(
            "results/{{study}}/{{corpus}}/store/{{capture}}/{site}.begun.json",
            site=PLAN.sites,
        ),
    log:
        "logs/{study}/{corpus}/store-{capture}-begun.log",
    benchmark:
        "logs/{study}/{corpus}/store-{capture}-begun.tsv"
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        spec=stage(PLAN.store_spec),
    script:
        "../scripts/begin_store.py"
