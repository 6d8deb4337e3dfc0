"""Columns of the tables of interventions and searches: unit and words, table by table.

What the modules of a table define themselves stands there, and has its unit here.
"""

from saegrid.command.sharing.columns import (
    COUNT,
    ID,
    NAT,
    NUMBER,
    SHARE,
    TEXT,
    YES,
    Words,
    Z,
    defined,
    ends,
    of,
)
from saegrid.interventions import choice_table, dose_table, headline, pooled

CHANGE, GAIN = "change of probability", "difference of shares"
ARM = of(
    TEXT,
    arm="way of steering: none, feature, control, means (difference of means) or prompt",
    part="part of the prompts: dose (a dose is chosen on it) or report (its gain is reported)",
)
CHOICE = of(
    TEXT,
    choice="score that the features were chosen by: own words, lens, meaning or random",
    arm=ARM["arm"].words,
)
POOLED = of(
    "as gain",
    **ends("the 95 % interval of gain"),
)
SUMMED = {"gain": GAIN, "surprisal_more": NAT, "rep3": SHARE, "norm_share": "mean norms",
          "n_sound": COUNT}  # fmt: skip
L = "difference L of the logits of token and other"

STEERING: dict[str, dict[str, Words]] = {
    "steering_choice": {
        **defined(choice_table.DEFINITIONS, {
            "share": SHARE, "own": CHANGE, "lens": CHANGE, "meaning": NUMBER,
            "confidence": CHANGE, "kl": NAT, "control": ID,
        }),
        **of(COUNT, n_active="counted tokens on which the feature is active"),
        **of(TEXT, words="its own words", groups="choices that took the feature; empty: none"),
        **of(ID, targets="token ids of its own words"),
    },
    "steering": {
        **defined(dose_table.DEFINITIONS, {
            "dose": "largest activations", "value": Z, "norm_share": "mean norms",
            "inclusion": SHARE, "inclusion_plain": SHARE, "gain": GAIN, "surprisal": NAT,
            "rep3": SHARE, "delta_target": NAT, "specificity": NAT, "kl": NAT,
        }),
        **ARM,
        **of(COUNT, n_texts="texts that were written", n_with="texts with one of its own words"),
        **of(
            SHARE,
            **ends("the exact 95 % interval of inclusion"),
            rep3_plain="rep3 of texts from the same prompts and noise without an edit",
        ),
        "surprisal_plain": Words(NAT, "surprisal of texts from the same prompts without an edit"),
    },
    "steering_texts": {
        **defined(dose_table.DEFINITIONS, {
            "dose": "largest activations", "surprisal": NAT, "parting": "characters",
        }),
        **ARM,
        "prompt": Words(ID, "number of the prompt in its part, from 0"),
        **of(TEXT, before="the prompt", text="new text behind the prompt"),
        "n_hits": Words(COUNT, "own words of the feature in the text"),
    },
    "steering_summary": {
        **defined(headline.DEFINITIONS, {**SUMMED, "own_less": GAIN}),
        **CHOICE,
        **POOLED,
        "n_features": Words(COUNT, "features of the choice"),
        **of(
            GAIN,
            **ends("the 95 % interval of own_less", "own_less"),
        ),
    },
    "steering_by_choice": {
        **defined(pooled.DEFINITIONS, {
            **SUMMED, "less_choice": TEXT, "n_cells": COUNT, "n_features": COUNT,
            "n_above": COUNT, "delta_target": NAT,
        }),
        **CHOICE,
        **POOLED,
        "less_arm": Words(TEXT, "arm that is taken away; null where the row is of one alone"),
        **of(
            NAT,
            **ends("the 95 % interval of delta_target", "delta"),
        ),
    },
}  # fmt: skip

CHANGES = {
    "edit": Words(NAT, "change of log p of the first token of the edit"),
    "replaced": Words(NAT, "change of log p of the first token of the replaced word"),
    "edit_over_replaced": Words(NAT, "edit less replaced"),
    "words": Words(CHANGE, "change of the probability of the feature's own words"),
    "grade": Words("as the label", "change of the expected grade of what is filled in"),
    "covered": Words(CHANGE, "change of the probability of all first tokens of edits"),
    "extra_surprisal": Words(NAT, "surprisal of what is filled in beyond the entropy, for the "
                             "unchanged model"),
    "kl": Words(NAT, "KL divergence of the changed from the unchanged prediction"),
    "slope": Words("nats a grade", "change of log p of an edit for one more grade"),
}  # fmt: skip
FILLED = {
    "role": Words(TEXT, "confirmed feature or its control"),
    "dose": Words("maxima", "clamp in maxima of the confirmed feature; 0: taken away"),
}

FILLING: dict[str, dict[str, Words]] = {
    "filling": {
        **FILLED,
        **CHANGES,
        **{
            f"{name}_{end}": Words(one.unit, f"{which} end of the 95 % interval of {name}")
            for name, one in CHANGES.items()
            for end, which in (("low", "lower"), ("high", "upper"))
        },
        "sign": Words(NUMBER, "1: the confirmed feature leans to side a; -1: to side b"),
        "control_of": Words(ID, "confirmed feature that a control stands beside; else null"),
        "value": Words(Z, "activation at which the feature is clamped"),
        "n": Words(COUNT, "originals whose edits are filled in"),
    },
    "filling_texts": {
        **FILLED,
        **of(
            TEXT,
            context="text up to the edit",
            replaced="word that was replaced",
            before="likeliest tokens of the unchanged model",
            after="likeliest tokens while the feature is clamped",
        ),
        **of("probability", before_p="their probabilities", after_p="their probabilities"),
    },
}

EFFECT = {"effect": Words("logits", "L less L with the feature taken away; null: not ablated"),
          "activation": Words(Z, "sum of activations over the tokens of the prompt"),
          "attribution": Words("logits", f"attribution of the feature on the {L}")}  # fmt: skip
PROMPT = {
    **of(ID, prompt="number of the prompt, from 0"),
    **of(
        TEXT,
        text="the prompt",
        token="token whose logit counts for it",
        other="token whose logit counts against it",
    ),
}

ATTRIBUTION: dict[str, dict[str, Words]] = {
    "attribution": {
        "attribution": Words("logits", "mean attribution over all prompts, 0 where silent"),
        "size": Words("logits", "mean absolute attribution over all prompts"),
        "rank": Words(NUMBER, "place by size, from 1"),
        "activation": Words(Z, "mean over prompts of the sum of its activations"),
        **of(COUNT, n_prompts="prompts on which it is active", n_ablated="prompts on which it was "
             "ablated"),
        "effect": Words("logits", "mean effect over these prompts; null without any"),
    },
    "attribution_examples": {**PROMPT, **EFFECT},
    "attribution_prompts": {
        **PROMPT,
        **of(COUNT, n_tokens="tokens of the prompt", n_features="features active on it"),
        **of(
            "logits",
            difference=L,
            features="sum of the attributions of all features",
            error="part of the SAE's error in the total",
            bias="part of the SAE's bias in the total",
            total="sum over tokens of activation times gradient",
            without="L with all features taken away",
            integrated="sum of the integrated gradients of all features",
        ),
    },
    "ablation": {
        **PROMPT,
        **EFFECT,
        "integrated": Words("logits", "integrated gradient of the feature"),
        **of(
            YES,
            drawn="True if the feature was drawn by seed",
            top="True if it is among those with the largest attributions",
            whole="True if all active features of the prompt were ablated",
        ),
        **of(
            NUMBER,
            attribution_rank="place by the size of the attribution in the prompt, from 1",
            activation_rank="place by activation in the prompt, from 1",
            effect_rank="place by the size of the effect, from 1; null where not all were ablated",
        ),
    },
    "agreement": {
        **of(
            TEXT,
            sample="features that are compared: drawn, drawn and top, all active, or sums",
            predictor="number that stands for the effect: gradient, integrated or activation",
            statistic="measure of agreement within a prompt",
        ),
        **of(
            NUMBER,
            value="mean of the statistic over prompts",
            **ends("its 95 % interval over prompts"),
        ),
        "n": Words(COUNT, "prompts that have the number"),
    },
}  # fmt: skip

THEME = {"theme": Words(TEXT, "theme of the prompt; all: of every prompt")}
CLAMP = {"arm": Words(TEXT, "clamp: high, zero or low; none: nothing is clamped")}

HOOKS: dict[str, dict[str, Words]] = {
    "hooks/prompts": {
        **THEME,
        **of(
            COUNT,
            prompts="prompts of the theme",
            words="words of these prompts",
            words_mean="words of a prompt, on average",
            tokens="tokens of these prompts",
            tokens_a_word="tokens / words",
            texts="texts that were written from them",
            drawn="tokens that were written",
            drawn_mean="tokens of a text, on average",
            special="special tokens that were written",
        ),
        "unknown": Words(SHARE, "tokens that the tokenizer does not know / tokens"),
    },
    "hooks/choice": {
        **of(
            "units of the activations",
            norm="mean norm of a token",
            sum="sum of all numbers of all tokens",
            max="largest number of all tokens",
            average="average number of all tokens",
            one_sum="sum of the numbers of one token",
            one_max="largest number of one token",
            one_average="average number of one token",
        ),
        "n": Words(COUNT, "tokens"),
        "anisotropy": Words("cosine", "mean cosine of two different tokens"),
        **of(
            YES,
            middle="True of a layer in the middle half of the blocks",
            trained="True if the site has an SAE",
            best="True of the site of the middle with the least anisotropy, SAE or not",
            chosen="True of the site that was chosen",
        ),
    },
    "hooks/features": {
        "stratum": Words(NUMBER, "part of the densities it was drawn from, 1 the rarest"),
        "density": Words(SHARE, "counted tokens on which the feature is active / all tokens"),
        "n_active": Words(COUNT, "counted tokens on which the feature is active"),
        "rank": Words(NUMBER, "place by density among the active features, from 0"),
    },
    "hooks/texts": {
        **THEME,
        "rank": Words(NUMBER, "place of the text among the strongest of the feature, from 0"),
        **of(
            Z,
            activation="largest activation of the feature in the text",
            activations="activation on each token of the window; null where none was captured",
        ),
        "tokens": Words(TEXT, "tokens of the window around the strongest one"),
        "prompt": Words(YES, "True of tokens of the prompt"),
    },
    "hooks/clamps": {
        **CLAMP,
        "control": Words(ID, "feature as dense, silent on the targets, that is clamped instead"),
        "value": Words(Z, "activation at which the feature is held"),
        "push": Words("mean norms", "value in the model's units / mean norm of the site"),
        "targets": Words(TEXT, "tokens on which the feature is most active"),
        "share": Words(SHARE, "share of its activation that falls on these"),
        "largest": Words(Z, "its largest activation"),
        "n_texts": Words(COUNT, "texts that were read"),
        **of(
            NAT,
            base="mean log p of the targets with nothing clamped",
            delta_target="change of this under the clamp of the feature",
            delta_control="the same under the clamp of the control",
            specificity="delta_target less delta_control, mean over texts",
            error="standard error of specificity over texts",
            kl="KL divergence of the predictions under the clamp from those without",
            kl_control="the same of the control",
        ),
    },
    "hooks/clamped_texts": {
        **CLAMP,
        "tokens": Words(TEXT, "tokens of the prompt and those that the model wrote"),
        "target": Words(YES, "True of written tokens that the feature is most active on"),
        "parts": Words(NUMBER, "first written token that differs from the text without, from 0"),
        "surprisal": Words(NAT, "mean -ln p of the written tokens for the model as it is"),
    },
}

WORD = "of a word; else null"
FOUND = {
    "rank": Words(NUMBER, "place among the features of the query, from 0"),
    "words": Words(TEXT, "commonest words of the top tokens of the feature"),
    "query": Words(ID, "number of the query, from 0"),
    "score": Words(NUMBER, "of a word F1; of a prompt activation / p99 x idf, less that of the "
                   "texts without"),
    "value": Words(Z, "largest activation on the prompt"),
    "token": Words(TEXT, "token on which it is largest"),
    "position": Words(NUMBER, "place of this token in its row of model input, from 0"),
}  # fmt: skip

SEARCH: dict[str, dict[str, Words]] = {
    "search": {
        **FOUND,
        **of(
            TEXT,
            kind="kind of the query: word, prompt or pair",
            text="the query",
            without="texts whose features are taken away; empty: none",
        ),
        "value_without": Words(Z, "largest activation on the texts without; null: none"),
        "p99": Words(Z, "activation that 99 % of its activations do not exceed"),
        "idf": Words(NAT, "ln(captured tokens / those on which it fires)"),
        "n_active": Words(COUNT, "captured tokens on which it fires"),
        **of(
            COUNT,
            n=f"captured occurrences {WORD}",
            n_corpus=f"occurrences in the whole corpus, captured or not, {WORD}",
        ),
        **of(
            SHARE,
            specificity="tokens on which it is silent / tokens: other ones, of a word",
            precision=f"its firings that are on the word / all of them, {WORD}",
            recall=f"occurrences on which it fires / all of them, {WORD}",
        ),
    },
    "search_tokens": {**FOUND, "token": Words(TEXT, "token of the prompt")},
}  # fmt: skip
