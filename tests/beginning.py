"""saegrid new on a model, SAEs and texts of a folder: the arguments, and the config it writes."""

from pathlib import Path

import yaml

from checkpoints import llama_scope
from saegrid.command import main
from saegrid.config.check import resolve
from saegrid.stages.mistakes import all_mistakes


def write_scope(folder, *layers):
    """SAEs of Llama Scope, one a layer."""
    for layer in layers:
        hook = f"blocks.{layer}.hook_resid_post"
        one = folder / f"Llama3_1-8B-Base-L{layer}R-8x"
        llama_scope(one, hook_point_in=hook, hook_point_out=hook)
    return folder


def new(*more, model="model", sae="sae", texts=("my.csv",)):
    """The status of the command."""
    named = ["--sae", sae] if sae else []
    return main(["new", "--model", model, *named, "--texts", *texts, "--force", *more])


def written(capsys, *more, name="my", **places):
    """The config that was written, which has no mistakes, and what was said."""
    status = new(*more, **places)
    out = capsys.readouterr()
    assert status == 0, out.err
    config = yaml.safe_load(Path(f"config/{name}.yaml").read_text())
    resolve(config)
    assert all_mistakes(config)[1] == []
    return config, out.out
