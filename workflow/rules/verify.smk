"""
Known numbers of the checkpoints, before a corpus is captured and before a cell is encoded.
IN   the model, the SAEs with known numbers, tokens of the main corpus
OUT  results/{study}/verified.json: each number that was measured, beside the expected one
A number that does not come out stops what would follow: captures and cells wait for this file (`ancient`:
while it is there, making it anew runs none of them), yet it decides no value.
"""

for name in ("verify_checkpoint",):
    bind(PLAN.graph.stages[name])
