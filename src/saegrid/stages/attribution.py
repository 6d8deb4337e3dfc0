"""Attribution of the features of a cell on the choice of a word, held against true ablation."""

from typing import Annotated

from pydantic import Field

from saegrid.base.errors import ConfigError
from saegrid.base.section import Positive, Seed, Strict
from saegrid.models import family_of
from saegrid.models.memory import needed
from saegrid.stages import places
from saegrid.stages.stage import (
    CELL,
    At,
    Column,
    Figure,
    Needs,
    Panel,
    Plan,
    Sizes,
    Stage,
    Weight,
)
from saegrid.stages.stage import Settings as Values

Few = Annotated[int, Field(ge=0, le=100_000)]


class Settings(Strict):
    """Features that make the model choose a word: attributions, and true ablations beside them."""

    prompts: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Prompts, at most one of a group of texts: the tokens before an edit, after which the first
    token of the edit is held against that of what it replaced; in plain text the tokens before one
    that is drawn, which is held against the best other one."""
    ablated: Few = 50
    """Prompts, the first ones, on which features are ablated one by one."""
    features: Few = 40
    """Active features of such a prompt that are drawn and ablated."""
    top: Annotated[int, Field(ge=1, le=1000)] = 10
    """Features with the largest attributions of such a prompt that are ablated too."""
    whole: Few = 10
    """Prompts, the first ones, of which all active features are ablated."""
    steps: Annotated[int, Field(ge=0, le=1000)] = 8
    """Midpoints of integrated gradients; 0: there are none."""
    shortest: Positive = 1
    """Tokens of a prompt at least, special ones not counted."""
    longest: Annotated[int, Field(ge=2, le=100_000)] = 128
    """Tokens of a prompt at most."""
    seed: Seed = 0
    """Seed of the prompts, of the features that are drawn, and of the intervals."""


def weighed(plan: Plan) -> list[At]:
    """Each cell whose SAE has weights, on the main corpus."""
    return [at for at in places.cells(plan) if not plan.saes.is_displayed(at.cell)]


def settings(plan: Plan, at: At) -> Values:
    """The model, and the threads that it runs on."""
    check(plan, at)
    return {**plan.model.spec, "threads": plan.study.threads.capture}


def check(plan: Plan, at: At) -> None:
    """ConfigError where the model predicts no next token or is too large, or numbers of prompts do
    not go together."""
    key, named, model = "analyses.attribution", plan.settings(at.cell, "attribution"), plan.model
    family = family_of(model.config, model.settings.family) if model.config else None
    if family and not family.causal:
        raise ConfigError(
            f"{key}: a {family.name} model does not predict the next token, so that no feature can "
            "be held against its logits. Leave the section out, or take a causal model."
        )
    for small, large in (("ablated", "prompts"), ("whole", "ablated"), ("shortest", "longest")):
        if named[small] > named[large]:
            raise ConfigError(
                f"{key}.{small}: expected at most {large}, {named[large]}; got {named[small]}. "
                f"Lower it, or raise {large}."
            )
    memory = plan.study.memory.capture
    room = needed(model.stored()) / 10**6
    if model.settings.device == "cpu" and model.settings.weights == "pretrained" and room > memory:
        raise ConfigError(
            f"{key}: the whole model is needed in memory, {room:,.0f} MB, and memory.capture is "
            f"{memory:,}. Raise it, or leave the section out."
        )


def weighs(sizes: Sizes, at: At) -> Weight:
    """Encoder and decoder are read; rows are those of active features and of ablations."""
    named, sae = sizes.plan.settings(at.cell, "attribution"), sizes.sae(at.cell)
    text = sizes.text(at.corpus)
    length = min(named["longest"], -(-text.positions // max(text.rows, 1)))
    active = min(sae.d_sae, sae.l0 * length * named["prompts"])
    rows = named["ablated"] * (named["features"] + named["top"])
    rows += named["whole"] * sae.l0 * length
    return Weight(write=250 * active + 60 * rows + 100 * named["prompts"], read=2 * sae.matrix)


ATTRIBUTION = Stage(
    "attribution",
    reads={
        "tokens": "tokens.tokens",
        "spans": "tokens.spans",
        "selection": "selection.selection",
        "texts": "items.table",
        "sae": places.ENCODER,
        "model": places.MODEL,
        "verified": places.VERIFIED,
    },
    writes={
        "attribution": CELL + "attribution.parquet",
        "examples": CELL + "attribution_examples.parquet",
        "prompts": CELL + "attribution_prompts.parquet",
        "ablation": CELL + "ablation.parquet",
        "agreement": CELL + "agreement.parquet",
    },
    config=Settings,
    ends=weighed,
    settings=settings,
    code=lambda plan, at: [plan.saes.reader(at.cell), *plan.model.code],
    needs=Needs(
        "capture",
        240,
        "capture",
        gpu=lambda plan, at: plan.gpu(),
        hub=True,
        priority=2,
        group="measurements",
    ),
    weighs=weighs,
    only={"cell": places.weighed},
    shows=(
        Column(
            "attribution_r",
            "attribution, ablation",
            "{:.2f}",
            "Pearson correlation of attribution by one gradient with true ablation over active "
            "features drawn by seed, mean over prompts",
            "saegrid.interventions.agreement:of_gradient",
            "attribution.agreement",
        ),
        Column(
            "activation_r",
            "activation, ablation",
            "{:.2f}",
            "the same of plain activation",
            "saegrid.interventions.agreement:of_activation",
            "attribution.agreement",
        ),
        Figure(
            "attribution",
            "saegrid.pages.figures.attribution:draw",
            "attribution.agreement",
        ),
        Panel(
            "attribution",
            "Attribution",
            "The prompts on which this feature has its largest attributions: what it adds to the "
            "logit of the token less that of the other, to first order. Ablation: what truly "
            "becomes of this difference when the feature is taken away, with its sign turned; a "
            "dash: not ablated there. Activation: summed over the prompt.",
            "saegrid.pages.browser.attributions:of_features",
            "attribution.examples",
        ),
    ),
)
