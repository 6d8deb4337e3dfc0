"""Steering with the features of a cell: the choice, the doses and what the model writes."""

from typing import Annotated, Any

from pydantic import Field

from saegrid.base.errors import ConfigError
from saegrid.base.section import Number, Positive, Seed, Strict
from saegrid.base.words import Cell
from saegrid.models import family_of
from saegrid.stages.places import ENCODER, MODEL, VERIFIED, cells, weighed
from saegrid.stages.stage import CELL, At, Column, Many, Needs, Plan, Source, Stage, Weight

Count = Annotated[int, Field(ge=1, le=1000)]


class Settings(Strict):
    """Features are clamped while the model writes: dose-response beside controls."""

    features: Annotated[int, Field(ge=1, le=1000)] = 10
    """Features of each choice: by own words, logit lens, meaning, and at random."""
    doses: Annotated[list[Number], Field(min_length=1, max_length=20)] = [0.5, 1.0, 2.0, 4.0, -1.0]
    """Strengths of a clamp, in multiples of the feature's largest activation without BOS."""
    strength: Annotated[Number, Field(gt=0, le=100)] = 2.0
    """Strength of the clamp by which features are chosen, likewise."""
    choose_prompts: Count = 16
    """Prompts on which features are chosen."""
    dose_prompts: Count = 4
    """Prompts on which a dose is chosen."""
    prompts: Count = 8
    """Prompts of which the texts are reported."""
    texts: Count = 16
    """Texts on which KL and target probabilities are measured, in each part."""
    length: Annotated[int, Field(ge=2, le=4096)] = 8
    """Tokens of a prompt, BOS among them."""
    text_length: Annotated[int, Field(ge=2, le=4096)] = 32
    """Tokens of a text on which KL is measured, at most."""
    new: Annotated[int, Field(ge=1, le=4096)] = 40
    """Tokens that are written."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 3
    """Texts from each prompt, each with noise of its own that all arms share."""
    temperature: Annotated[Number, Field(ge=0, le=10)] = 1.0
    """Temperature of writing; 0 takes the likeliest token."""
    template: str = "This is a story about {words}."
    """Text before a prompt where words are asked for and nothing is clamped; it holds {words}."""
    common: Annotated[Number, Field(gt=0, le=1)] = 0.004
    """Words that are this share of all tokens or more are no feature's own."""
    seed: Seed = 0
    """Seed of the three parts of the texts and of intervals."""
    shown: Positive = 3
    """Features of each choice and cell whose texts stand on the page."""


def activations(plan: Plan, at: At) -> list[Source]:
    """The captured activations of the site that the cell's SAE writes."""
    site = plan.saes.writes(at.cell) or Cell.parse(at.cell).site
    corpus = plan.corpora[at.corpus]
    place = At(at.corpus, site=str(site))
    return [corpus.activations(place._replace(shard=shard)) for shard in corpus.shards]


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The model and its tokenizer; ConfigError for a model that cannot write."""
    config, named = plan.model.config, plan.settings(at.cell, "steering")
    if config is not None:
        family = family_of(config, plan.model.settings.family)
        if not family.causal:
            raise ConfigError(
                f"analyses.steering: {plan.model.settings.path} cannot generate: a {family.name} "
                "model does not predict the next token. Take a causal model, or leave it out."
            )
    if "{words}" not in named["template"]:
        raise ConfigError("analyses.steering.template: it must hold {words}. Mend it.")
    return {
        "cell": at.cell,
        **plan.model.spec,
        "tokenizer": plan.model.tokenizer,
        "threads": plan.study.threads.capture,
    }


STEERING = Stage(
    "steering",
    reads={
        "features": "encode.features",
        "activations": Many(activations, settled=True),
        "tokens": "tokens.tokens",
        "sae": ENCODER,
        "model": MODEL,
        "verified": VERIFIED,
    },
    writes={
        "choice": CELL + "steering_choice.parquet",
        "doses": CELL + "steering.parquet",
        "texts": CELL + "steering_texts.parquet",
        "summary": CELL + "steering_summary.parquet",
    },
    config=Settings,
    ends=cells,
    settings=settings,
    code=lambda plan, at: [plan.saes.reader(at.cell), *plan.model.code],
    needs=Needs("capture", 240, "capture", gpu=True, hub=True, group="measurements"),
    weighs=lambda sizes, at: Weight(write=3_000_000, read=2 * sizes.sae(at.cell).matrix),
    only={"cell": weighed},
    shows=(
        Column(
            "steering_gain",
            "steered",
            "{:+.2f}",
            "mean gain of texts with a feature's own words, features chosen by these, each at a "
            "dose that was chosen on other prompts with at most 1 nat of surprisal more and few "
            "repetitions",
            "saegrid.interventions.headline:own_gain",
            "steering.summary",
        ),
        Column(
            "steering_surprisal",
            "nats more",
            "{:+.2f}",
            "mean surprisal of these texts under the model without an edit, less that of texts "
            "written without one",
            "saegrid.interventions.headline:own_surprisal",
            "steering.summary",
        ),
        Column(
            "steering_rep3",
            "repeated",
            "{:.2f}",
            "mean share of repeated runs of three tokens in these texts",
            "saegrid.interventions.headline:own_rep3",
            "steering.summary",
        ),
    ),
)
