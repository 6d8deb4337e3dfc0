"""Megabytes that jobs ask for: the formulas of `estimate` on sizes that are known before any text
is read. Never less than a rule's own figure, which stands where the model is on the hub."""

from saegrid.saes.training.settings import parse
from saegrid.stages import estimate
from saegrid.stages.estimate import BYTES
from saegrid.stages.plan.counts import sae_of
from saegrid.stages.plan.files import Plan

MANY = 1 << 40
"""Tokens where a formula has a ceiling by their number: more than any corpus has."""


def training(plan: Plan, least: int, *names: str) -> int:
    """Of a training of one cell, or of those of a site and a name: all weights are held at once,
    and a filling beside them."""
    held = estimate.TORCH
    for cell in plan.members(*names):
        sae = sae_of(plan, cell)
        if sae is not None:
            settings = plan.settings(cell, "train")
            told = parse(settings["recipe"], settings["settings"])
            cost = estimate.train_sae(sae, MANY, 0, told.batch, white=told.whiten != "none")
            held += cost.memory - estimate.TORCH
    return max(least, megabytes(held)) + plan.filling_memory(*names)


def baselines(plan: Plan, least: int, corpus: str, site: str) -> int:
    """Of the baselines of a site."""
    saes = [sae for cell in plan.measured(corpus, site) if (sae := sae_of(plan, cell))]
    if not saes:
        return least
    width, d_sae = saes[0].d_model, sum(sae.d_sae for sae in saes)
    itemsize = BYTES[plan.study.model.dtype]
    return max(least, megabytes(estimate.baselines(width, d_sae, 0, 0, itemsize, ()).memory))


def megabytes(n: int) -> int:
    """Whole megabytes that hold so many bytes."""
    return -(-n // 10**6)
