"""
Known numbers of the checkpoints, before a corpus is captured and before a cell is encoded.
IN   the model, the SAEs with known numbers, tokens of the main corpus
OUT  results/{study}/verified.json   each number that was measured, beside the expected one
A number that does not come out stops what would follow. Captures and cells wait for this file
(`ancient`: while it is there, making it anew runs none of them), yet it decides no value. Without
it, as after a refusal, what stands on it is made again.
"""


rule verify_checkpoint:
    input:
        saes=lambda wildcards: PLAN.verified_inputs()["saes"],
        model=ancient(lambda wildcards: PLAN.verified_inputs()["model"]),
        tokens=lambda wildcards: PLAN.verified_inputs()["tokens"],
    output:
        facts=ensure("results/{study}/verified.json", non_empty=True),
    log:
        "logs/{study}/verify_checkpoint.log",
    benchmark:
        "logs/{study}/verify_checkpoint.tsv"
    conda:
        "../../envs/core.yaml"
    threads: PLAN.study.threads.capture
    resources:
        gpu=PLAN.gpu(),
        mem_mb=growing(PLAN.study.memory.capture),
        runtime=growing(60),
    params:
        spec=stage(PLAN.verify_spec),
    script:
        "../scripts/verify_checkpoint.py"
