"""
What can be asked for by name (all is in the Snakefile): corpus, activations, saes, cells, metrics, pages,
figures, layers, and all_<stage> of each analysis that the study names.
estimate makes nothing: what the run would read, write, hold and take is said at the start.
Every file of every stage that a target needs is its input, so that a lost or failed one is made again.
"""

for target in [name for name in targets.names(PLAN.graph) if name != "all"]:

    rule:
        name:
            target
        input:
            files_of(target),
        localrule: True


rule estimate:
    # The table is printed by `announce`, before any job.
    input:
        [],
    localrule: True
