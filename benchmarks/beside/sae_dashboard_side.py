"""The side of SAEDashboard in a comparison, run by the Python of its environment.

python sae_dashboard_side.py '{"job": "grid", ...}'
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Clock, main
from hooked import hook_of, hooked
from sae_dashboard.components_config import (
    ActsHistogramConfig,
    FeatureTablesConfig,
    LogitsHistogramConfig,
    LogitsTableConfig,
    SequencesConfig,
)
from sae_dashboard.data_writing_fns import save_feature_centric_vis
from sae_dashboard.layout import Column, SaeVisLayoutConfig
from sae_dashboard.sae_vis_data import SaeVisConfig, SaeVisData
from sae_dashboard.sae_vis_runner import SaeVisRunner
from sae_lens import SAE

WARM = 64
"""Number of features of the run before the timed one."""


def layout(name: str) -> SaeVisLayoutConfig:
    """The layout of a page by name.

    `default` has windows of five tokens each side, so that it never chooses a token nearer to an
    end of a row. `rows` has whole rows, in the numbers that its runner for Neuronpedia takes.
    """
    if name == "default":
        return SaeVisLayoutConfig.default_feature_centric_layout()
    sequences = SequencesConfig(
        stack_mode="stack-all", buffer=None, n_quantiles=5, top_acts_group_size=20,
        quantile_group_size=5,
    )  # fmt: skip
    parts = ActsHistogramConfig(), LogitsHistogramConfig(), LogitsTableConfig()
    return SaeVisLayoutConfig([Column(sequences, *parts, FeatureTablesConfig(n_rows=3))])


def grid(case: dict[str, Any]) -> dict[str, Any]:
    """The time of all features of every site, a page each; model and SAEs are loaded before."""
    folder, out = Path(case["folder"]), Path(case["out"])
    ids = torch.from_numpy(np.load(folder / "ids.npy"))
    model = hooked(case["model"])
    saes = {site: SAE.load_from_disk(folder / f"sae-{site}") for site in case["sites"]}
    with Clock() as clock:
        for site, sae in saes.items():
            _site(model, sae, ids, site, range(WARM), case, out / "warm", clock)
    clock, pages = Clock(), {}
    with clock:
        for site, sae in saes.items():
            features = range(case["features"] or sae.cfg.d_sae)
            pages[site] = _site(model, sae, ids, site, features, case, out / "timed", clock)
    for site, data in pages.items():
        _arrays(data, case, out / f"{site}.npz")
    size = sum(path.stat().st_size for path in (out / "timed").glob("*.html"))
    return clock.as_json() | {"page_mb": size / 1e6}


def _site(
    model: Any, sae: Any, ids: Any, site: str, features: range, case: dict, out: Path, clock: Clock
) -> SaeVisData:
    """Call its runner and its writer; activations are kept on disk, as by its own command."""
    out.mkdir(exist_ok=True, parents=True)
    special = {model.tokenizer.bos_token_id, model.tokenizer.eos_token_id}
    cfg = SaeVisConfig(
        hook_point=hook_of(site),
        features=list(features),
        ignore_tokens=special,
        feature_centric_layout=layout(case["layout"]),
        cache_dir=out / site,
        **case["options"],
    )
    data = SaeVisRunner(cfg).run(encoder=sae, model=model, tokens=ids)
    clock.mark("data")
    save_feature_centric_vis(data, out / f"{site}.html")
    clock.mark("page")
    return data


def _arrays(data: SaeVisData, case: dict[str, Any], path: Path) -> None:
    """Write the arrays for the comparison."""
    top, effects, shares = [], [], []
    for feature, entry in data.feature_data_dict.items():
        title = entry.acts_histogram_data.title  # none where the feature is silent
        shares.append(float(title.split("= ")[1].rstrip("%")) / 100 if title else 0.0)
        for sequence in entry.sequence_data.seq_group_data[0].seq_data:
            at, values = sequence.qualifying_token_index, sequence.feat_acts
            # Whole rows come without their first position; a window is five tokens each side.
            value = values[5] if case["layout"] == "default" else values[at - 1] if at else 0.0
            top.append((feature, sequence.original_index, at, value))
        table = entry.logits_table_data
        for side in ("top", "bottom"):
            ids, values = (getattr(table, f"{side}_{what}") for what in ("token_ids", "logits"))
            rows = zip(ids, values, strict=True)
            effects += [(feature, side == "top", *row) for row in rows]
    feature, row, position, value = map(np.array, zip(*top, strict=True))
    owner, side, token, effect = map(np.array, zip(*effects, strict=True))
    np.savez(
        path,
        feature=np.array(list(data.feature_data_dict)),
        share=np.array(shares),
        any_share=np.array(data.feature_stats.frac_nonzero),
        any_max=np.array(data.feature_stats.max),
        top_feature=feature,
        top_row=row,
        top_position=position,
        top_value=value,
        effect_feature=owner,
        effect_top=side,
        effect_token=token,
        effect=effect,
    )


if __name__ == "__main__":
    main({"grid": grid})
