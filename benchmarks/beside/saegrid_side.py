"""The side of this project in the comparison with its peers, run by `benchmarks/peers.py`.

    python saegrid_side.py '{"job": "cell", ...}'

It prints one line of JSON: seconds, CPU seconds, parts, peak memory; arrays go to files.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from common import Clock, main

from saegrid.base import io
from saegrid.base.words import Site
from saegrid.capture import activations
from saegrid.capture.choice import captured_tokens
from saegrid.capture.whole import capture_sites
from saegrid.codes.encode import encode
from saegrid.codes.sparse import read_features, write_features
from saegrid.features.density import density, facts
from saegrid.features.examples import examples, top_tokens
from saegrid.features.logits import model_logit_effects
from saegrid.meaning.cell import about
from saegrid.meaning.concepts import Rule
from saegrid.meaning.occurrences import Occurrences
from saegrid.meaning.vocabulary import Vocabulary, occurrences_of, vocabulary
from saegrid.models.load import load
from saegrid.models.tiles import rows_of
from saegrid.pages.browser.page import page
from saegrid.saes.formats import llama_scope
from saegrid.saes.formats.sae_lens import write_sae_lens
from saegrid.saes.reference import open_sae
from saegrid.saes.training.loop import train
from saegrid.saes.training.stream import of_array
from saegrid.text import tokenizer
from saegrid.text.corpora.items import items
from saegrid.text.selection import kept_of, selection
from saegrid.text.tokens import tokens as make_tokens

# --- one cell of true size ----------------------------------------------------------------------


def norms(case: dict[str, Any]) -> dict[str, Any]:
    """The time of the pass through the decoder that the import of a checkpoint takes once."""
    with Clock() as clock:
        decoder_norms = llama_scope.open_checkpoint(case["checkpoint"]).decoder.norms
    np.save(case["norms"], decoder_norms.astype(np.float32))
    return clock.as_json()


def cell(case: dict[str, Any]) -> dict[str, Any]:
    """The time from opening the file to the top tokens."""
    tokens = io.read_table(case["tokens"])
    captured, kept = np.load(case["captured"]), np.ones(tokens.num_rows, dtype=bool)
    x, decoder_norms = np.load(case["x"]), np.load(case["norms"])
    clock = Clock()
    with clock:
        encoder = llama_scope.open_checkpoint(case["checkpoint"], decoder_norms).encoder
        clock.mark("open")
        z = encode(x, captured, encoder, screen=case["screen"], threads=case["threads"])
        clock.mark("encode")
        table = density(z, tokens, kept)
        clock.mark("density")
        top = top_tokens(z, table, tokens, kept)
        clock.mark("top tokens")
    np.savez(
        case["out"],
        feature=z.owners(),
        token=np.searchsorted(captured, z.indices),
        value=z.data,
        threshold=encoder.threshold,
        shown=table["feature"].to_numpy(),
        density_in_edit=table["density_in_edit"].to_numpy(),
        top_value=top["activation"].to_numpy(),
        top_feature=top["feature"].to_numpy(),
        top_token=np.searchsorted(captured, top["token_index"].to_numpy()),
    )
    return clock.as_json() | {"l0": len(z.data) / len(x)}


# --- a small grid, page writing included ---------------------------------------------------------


def prepare(case: dict[str, Any]) -> dict[str, Any]:
    """Make the texts, tokens and SAEs that all sides share; this is not timed.

    The SAEs are trained with TopK; then one threshold that leaves k features a token makes them
    JumpReLU SAEs, as Llama Scope's were made.
    """
    folder = Path(case["folder"])
    columns = {"id": "id", "original": "original", "edit": "edit"}
    source = {"kind": "csv", "files": {"all": case["texts"]}}
    pairs = items({**source, "columns": columns, "labels": {}})
    texts = list(dict.fromkeys(pairs.table["edited"].to_pylist()))[: case["rows"]]
    (folder / "texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    source = {"kind": "text", "files": {"all": str(folder / "texts.txt")}}
    plain = items({**source, "columns": {}, "labels": {}}).table
    model = load({"path": case["model"]})
    tables = make_tokens(plain, None, tokenizer.load(case["model"]), "headline", "difference")
    io.write_table(folder / "items.parquet", plain)
    io.write_table(folder / "tokens.parquet", tables.tokens)
    io.write_table(folder / "selection.parquet", selection(plain))
    choice = {"edited": True, "original": False, "context": "all", "seed": 0}
    wanted = captured_tokens(tables.tokens, tables.spans, choice)
    np.save(folder / "wanted.npy", wanted)
    rows, eos = rows_of(tables.tokens), model.model.config.eos_token_id
    ids = np.full((len(rows.starts) - 1, int(np.diff(rows.starts).max())), eos)
    ids[tables.tokens["row"].to_numpy(), tables.tokens["position"].to_numpy()] = rows.ids
    np.save(folder / "ids.npy", ids.astype(np.int64))
    sites = [Site.parse(site) for site in case["sites"]]
    capture_sites(model, rows, wanted, sites, folder / "learned", say=_silent)
    for site in sites:
        _train(folder, site, case)
    n_tokens = int(pc.sum(pc.invert(tables.tokens["special"])).as_py())
    return {"rows": len(ids), "positions": ids.size, "tokens": n_tokens}


def _train(folder: Path, site: Site, case: dict[str, Any]) -> None:
    """Train a JumpReLU SAE of a site, and write it in SAELens' layout."""
    x = activations.read(folder / "learned" / f"{site}.safetensors")[0].astype(np.float64)
    settings = {"k": case["k"], "steps": case["steps"]}
    trained = train(
        of_array(x.astype(np.float32), 0.1, 0), "topk", settings,
        expansion=case["expansion"], seed=0, threads=case["threads"], site=site,
    )  # fmt: skip
    cfg, tensors = dict(trained.cfg), dict(trained.tensors)
    centre = tensors["b_dec"] if cfg["apply_b_dec_to_input"] else 0.0
    z = (x - centre) @ tensors["W_enc"].astype(np.float64) + tensors["b_enc"]
    threshold = np.quantile(np.maximum(z, 0.0), 1 - cfg.pop("k") / cfg["d_sae"])
    tensors["threshold"] = np.full(cfg["d_sae"], threshold, np.float32)
    cfg["architecture"] = "jumprelu"
    cfg["metadata"] |= {"model_name": "local", "context_size": 128}
    write_sae_lens(folder / f"sae-{site}", cfg, tensors)


def grid(case: dict[str, Any]) -> dict[str, Any]:
    """The time from capture to pages, with every file written and read again as by the rules'
    scripts."""
    folder, out = Path(case["folder"]), Path(case["out"])
    sites = [Site.parse(site) for site in case["sites"]]
    model = load({"path": case["model"]})
    rows = rows_of(io.read_table(folder / "tokens.parquet"))
    wanted = np.load(folder / "wanted.npy")
    for name in ("warm", "timed"):
        clock, target = Clock(), out / name
        with clock:
            capture_sites(model, rows, wanted, sites, target / "store", say=_silent)
            clock.mark("capture")
            words = _words(folder)
            clock.mark("vocabulary")
            for site in sites:
                _cell(folder, target, site, case, words, clock)
    size = sum(path.stat().st_size for path in (out / "timed").glob("*.html"))
    _arrays(folder, out, sites)
    return clock.as_json() | {"page_mb": size / 1e6}


def _words(folder: Path) -> tuple[Occurrences, Vocabulary]:
    """The occurrences of the texts and their word types; peers judge no feature by lexicons."""
    items_, tokens = (io.read_table(folder / f"{name}.parquet") for name in ("items", "tokens"))
    of = occurrences_of(tokens, items_, kept_of(str(folder / "selection.parquet")))
    return of, vocabulary(of, [], 1, "none")[0]


def _cell(
    folder: Path,
    out: Path,
    site: Site,
    case: dict[str, Any],
    words: tuple[Occurrences, Vocabulary],
    clock: Clock,
) -> None:
    """Run the stages of a cell, each like its script."""
    made = ("table", "top", "sample", "concepts", "effects")
    files = {name: out / f"{site}-{name}.parquet" for name in made}
    x, token = activations.read(out / "store" / f"{site}.safetensors")
    sae = open_sae(folder / f"sae-{site}")
    z = encode(x, token, sae.encoder, threads=case["threads"])
    write_features(out / f"{site}.safetensors", z)
    clock.mark("encode")
    z, tokens = read_features(out / f"{site}.safetensors"), io.read_table(folder / "tokens.parquet")
    kept = kept_of(str(folder / "selection.parquet"))
    counts = facts(z, tokens, kept, cuts=())
    io.write_table(files["table"], density(z, tokens, kept), facts=counts)
    clock.mark("density")
    table = io.read_table(files["table"])
    top = top_tokens(z, table, tokens, kept)
    io.write_table(files["top"], top)
    io.write_table(files["sample"], examples(z, table, tokens, kept))
    clock.mark("top tokens")
    judged = about(z, *words, tokens["text"].to_pylist(), Rule(), 5, 19, 0).concepts
    io.write_table(files["concepts"], judged)
    clock.mark("concepts")
    shown = np.unique(io.read_table(files["top"], ["feature"])["feature"].to_numpy())
    words = tokenizer.strings(tokenizer.load(case["model"]))
    directions = open_sae(folder / f"sae-{site}").decoder_rows(shown)
    io.write_table(files["effects"], model_logit_effects(directions, shown, case["model"], words))
    clock.mark("logit effects")
    names = {"study": "peers", "corpus": "texts", "cell": f"{site}-8x", "model": "local"}
    text = page(
        {**counts, **names, "site": str(site), "sae": "8x", "spec": "{}"},
        table,
        io.read_table(files["top"]),
        io.read_table(files["sample"]),
        io.read_table(folder / "tokens.parquet"),
        read_features(out / f"{site}.safetensors"),
        io.read_table(files["concepts"]),
        io.read_table(files["effects"]),
        io.read_table(folder / "selection.parquet"),
        io.read_table(folder / "items.parquet"),
    )
    io.write_text(out / f"{site}.html", text)
    clock.mark("page")


def _arrays(folder: Path, out: Path, sites: list[Site]) -> None:
    """Write the arrays for the comparison: sparse z by row and position, top tokens, logit
    effects."""
    tokens = io.read_table(folder / "tokens.parquet")
    row, position = tokens["row"].to_numpy(), tokens["position"].to_numpy()
    for site in sites:
        z = read_features(out / "timed" / f"{site}.safetensors")
        top = io.read_table(out / "timed" / f"{site}-top.parquet")
        effects = io.read_table(out / "timed" / f"{site}-effects.parquet")
        side = effects["side"].cast("string").to_numpy(zero_copy_only=False)
        np.savez(
            out / f"{site}.npz",
            feature=z.owners(),
            row=row[z.indices],
            position=position[z.indices],
            value=z.data,
            threshold=open_sae(folder / f"sae-{site}").encoder.threshold,
            d_sae=z.d_sae,
            top_feature=top["feature"].to_numpy(),
            top_row=top["row"].to_numpy(),
            top_position=top["position"].to_numpy(),
            top_value=top["activation"].to_numpy(),
            effect_feature=effects["feature"].to_numpy(),
            effect_top=side == "top",
            effect=effects["effect"].to_numpy(),
            effect_token=effects["token"].to_numpy(zero_copy_only=False).astype(str),
        )


def _silent(line: str) -> None:
    """Discard a line of progress."""


if __name__ == "__main__":
    main({"norms": norms, "cell": cell, "prepare": prepare, "grid": grid})
