"""
SAEs of the grid.
IN   results/{study}/{corpus}/activations/{capture}{shard}/{site}.safetensors of a corpus of role train,
     or a checkpoint that stays where it is
OUT  results/{study}/saes/{cell}/cfg.json, sae_weights.safetensors, history.parquet   trained
     results/{study}/saes/store/{site}-{together}.json   that cells have been trained together
     results/{study}/saes/{cell}/reference.json, decoder_norms.safetensors   imported
A checkpoint from the hub is fetched when the activations that it will encode are there, and the
stages that read it come before the import of other cells (`priority`), so that it is fetched once
and may then be deleted. Trainings under way, and those of cells trained together, are kept in the
folder `store`: a killed one goes on, and a change of one member trains that one alone.
Jobs with a checkpoint from the hub ask for the resource `hub`: a profile may limit how many there
are at a time.
"""


rule train_together:
    input:
        activations=unless_settled(PLAN.training_activations, PLAN.is_settled_company),
        tokens=ancient(lambda wildcards: PLAN.training_tokens(*names(wildcards))),
    output:
        members="results/{study}/saes/store/{site}-{together}.json",
    log:
        "logs/{study}/saes/{site}-together-{together}.log",
    benchmark:
        "logs/{study}/saes/{site}-together-{together}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: lambda wildcards: PLAN.training_threads(*names(wildcards))
    resources:
        gpu=of_job(PLAN.training_gpu),
        mem_mb=growing(of_job(memory.training, PLAN, 8000)),
        runtime=growing(240),
        filling_memory=growing(of_job(PLAN.filling_memory)),
        filling_threads=of_job(PLAN.filling_threads),
    params:
        spec=stage(PLAN.together_spec),
    script:
        "../scripts/train_together.py"


rule train_sae:
    input:
        activations=unless_settled(PLAN.training_activations),
        tokens=ancient(lambda wildcards: PLAN.training_tokens(wildcards.cell)),
        together=unless_settled(PLAN.together_files),
    output:
        cfg="results/{study}/saes/{cell}/cfg.json",
        weights=ensure(
            "results/{study}/saes/{cell}/sae_weights.safetensors", non_empty=True
        ),
        history="results/{study}/saes/{cell}/history.parquet",
    log:
        "logs/{study}/saes/{cell}.log",
    benchmark:
        "logs/{study}/saes/{cell}.tsv"
    wildcard_constraints:
        cell=PLAN.cell_pattern(PLAN.trained),
    conda:
        "../../envs/core.yaml"
    threads: lambda wildcards: PLAN.training_threads(wildcards.cell)
    resources:
        gpu=of_job(PLAN.training_gpu),
        mem_mb=growing(of_job(memory.training, PLAN, 4000)),
        runtime=growing(120),
        filling_memory=growing(of_job(PLAN.filling_memory)),
    params:
        spec=stage(PLAN.train_spec),
    script:
        "../scripts/train_sae.py"


rule import_sae:
    input:
        unless_settled(PLAN.before_import),
    output:
        reference="results/{study}/saes/{cell}/reference.json",
        norms=ensure(
            "results/{study}/saes/{cell}/decoder_norms.safetensors", non_empty=True
        ),
    log:
        "logs/{study}/saes/{cell}.log",
    benchmark:
        "logs/{study}/saes/{cell}.tsv"
    wildcard_constraints:
        cell=PLAN.cell_pattern(PLAN.imported),
    conda:
        "../../envs/core.yaml"
    threads: lambda wildcards: PLAN.import_threads(wildcards.cell)
    resources:
        hub=lambda wildcards: PLAN.from_hub(wildcards.cell),
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        spec=stage(PLAN.import_spec),
    script:
        "../scripts/import_sae.py"
