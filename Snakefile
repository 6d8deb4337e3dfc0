# saegrid: sparse-autoencoder experiments over a grid of layers, positions and expansions.
# snakemake --cores 2                                        the embedded study
# snakemake --cores 2 --configfile config/minilm.yaml        another study
from snakemake.utils import min_version

min_version("9.27")

if "study" not in config:

    configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/targets.smk"
include: "workflow/rules/corpus.smk"
include: "workflow/rules/verify.smk"
include: "workflow/rules/capture.smk"
include: "workflow/rules/survey.smk"
include: "workflow/rules/saes.smk"
include: "workflow/rules/cells.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/evidence.smk"
include: "workflow/rules/meaning.smk"
include: "workflow/rules/interventions.smk"
include: "workflow/rules/readout.smk"
include: "workflow/rules/pages.smk"


localrules:
    all,


rule all:
    input:
        files_of("all"),


onstart:
    wake_rarely()
    workflow.async_run(put_on_record())
    leftovers.remove(
        PLAN.root, BEGAN - 60
    )  # whoever writes one now has touched it since
    announce()
    write_provenance()


onsuccess:
    leftovers.remove(PLAN.root, BEGAN)
    finish(True)


onerror:
    finish(False)
