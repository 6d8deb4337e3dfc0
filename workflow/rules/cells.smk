"""
Activations to sparse features, densities and examples, one job a stage and cell.
IN   activations of the cell's site, the cell's SAE, tokens and selection of the corpus
OUT  results/{study}/{corpus}/cells/{cell}/features{shard}.safetensors  of a corpus in shards
     results/{study}/{corpus}/cells/{cell}/features.safetensors   sparse z, CSC by feature
     results/{study}/{corpus}/cells/{cell}/features.parquet       densities, sorted
     results/{study}/{corpus}/cells/{cell}/top_tokens.parquet     top tokens
     results/{study}/{corpus}/cells/{cell}/examples.parquet       random and quantile examples
     results/{study}/{corpus}/cells/{cell}/topics.parquet         judged by word lists and by form
     results/{study}/{corpus}/cells/{cell}/logit_effects.parquet  tokens raised and lowered
"""


# Of a corpus in shards encode makes the parts and merge the whole.
ruleorder: merge > encode


rule encode:
    input:
        activations=unless_settled(PLAN.cell_activations),
        sae=lambda wildcards: PLAN.sae_files(wildcards.cell),
        verified=ancient(lambda wildcards: PLAN.verified_files(wildcards.cell)),
    output:
        features=ensure(
            "results/{study}/{corpus}/cells/{cell}/features{shard}.safetensors",
            non_empty=True,
        ),
    log:
        "logs/{study}/{corpus}/{cell}/encode{shard}.log",
    benchmark:
        "logs/{study}/{corpus}/{cell}/encode{shard}.tsv"
    priority: 1
    conda:
        "../../envs/core.yaml"
    threads: PLAN.study.threads.encode
    resources:
        hub=lambda wildcards: PLAN.from_hub(wildcards.cell),
        gpu=PLAN.gpu(),
        mem_mb=growing(PLAN.study.memory.encode),
        runtime=growing(20),
    params:
        spec=stage(PLAN.encode_spec),
    script:
        "../scripts/encode.py"


rule merge:
    input:
        lambda wildcards: PLAN.shard_files(wildcards.cell, wildcards.corpus),
    output:
        features=ensure(
            "results/{study}/{corpus}/cells/{cell}/features.safetensors",
            non_empty=True,
        ),
    log:
        "logs/{study}/{corpus}/{cell}/merge.log",
    benchmark:
        "logs/{study}/{corpus}/{cell}/merge.tsv"
    wildcard_constraints:
        corpus=PLAN.sharded_pattern(),
    priority: 1
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        spec=stage(PLAN.merge_spec),
    script:
        "../scripts/merge.py"


rule density:
    input:
        features="results/{study}/{corpus}/cells/{cell}/features.safetensors",
        tokens="results/{study}/{corpus}/tokens.parquet",
        selection="results/{study}/{corpus}/selection.parquet",
    output:
        table=ensure(
            "results/{study}/{corpus}/cells/{cell}/features.parquet", non_empty=True
        ),
    log:
        "logs/{study}/{corpus}/{cell}/density.log",
    benchmark:
        "logs/{study}/{corpus}/{cell}/density.tsv"
    priority: 2
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(5),
    params:
        spec=stage(PLAN.density_spec),
    script:
        "../scripts/density.py"


rule top_tokens:
    input:
        features="results/{study}/{corpus}/cells/{cell}/features.safetensors",
        table="results/{study}/{corpus}/cells/{cell}/features.parquet",
        tokens="results/{study}/{corpus}/tokens.parquet",
        selection="results/{study}/{corpus}/selection.parquet",
    output:
        top="results/{study}/{corpus}/cells/{cell}/top_tokens.parquet",
        examples="results/{study}/{corpus}/cells/{cell}/examples.parquet",
        topics="results/{study}/{corpus}/cells/{cell}/topics.parquet",
    log:
        "logs/{study}/{corpus}/{cell}/top_tokens.log",
    benchmark:
        "logs/{study}/{corpus}/{cell}/top_tokens.tsv"
    priority: 3
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        spec=stage(PLAN.top_tokens_spec),
    script:
        "../scripts/top_tokens.py"


rule logit_effects:
    input:
        top="results/{study}/{corpus}/cells/{cell}/top_tokens.parquet",
        sae=lambda wildcards: PLAN.sae_files(wildcards.cell),
        model=ancient(lambda wildcards: PLAN.model_files()),
    output:
        effects="results/{study}/{corpus}/cells/{cell}/logit_effects.parquet",
    log:
        "logs/{study}/{corpus}/{cell}/logit_effects.log",
    benchmark:
        "logs/{study}/{corpus}/{cell}/logit_effects.tsv"
    priority: 4
    conda:
        "../../envs/core.yaml"
    resources:
        hub=lambda wildcards: PLAN.from_hub(wildcards.cell),
        mem_mb=growing(8000),
        runtime=growing(20),
    params:
        spec=stage(PLAN.logit_effects_spec),
    script:
        "../scripts/logit_effects.py"
