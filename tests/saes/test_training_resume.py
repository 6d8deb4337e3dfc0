"""Trainings that are killed go on, and end with the bytes of an undisturbed run."""

import json
import random
import signal
import time
from contextlib import contextmanager, nullcontext
from itertools import islice

import numpy as np
import pyarrow as pa
import pytest
import torch

from forked import start
from planting import SITE, X, same
from recipes import QUICK
from saegrid.base import io
from saegrid.base.recorded import recorded_spec
from saegrid.saes.training import RECIPES
from saegrid.saes.training.cells import train_cell, train_together
from saegrid.saes.training.loop import train_many, world_of
from saegrid.saes.training.state import Run, State
from saegrid.saes.training.stream import files, of_array

TOGETHER = {
    "a": ("topk", {"k": 4}),
    "b": ("relu_l1", {"l1": 2.0, "lr": 4e-3, "resample_silent": 0.01}),
    "c": ("tied", {"epochs": 0, "validate_every": 10, "patience": 4, "lr": 0.1}),
}
STEPS = {"steps": 100, "batch": 128, "log_every": 25}
LONG = {"steps": 600, "log_every": 50}
"""Long enough to be killed many times."""


def spec(name, **more):
    recipe, settings = TOGETHER[name]
    sae = {"recipe": recipe, "settings": STEPS | settings | more, "expansion": 4}
    told = {"sae": sae | {"seed": 3, "order_seed": 1}, "model": "m", "capture": "c", "threads": 1}
    return io.canonical(told)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Activations and tokens.parquet of a small corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    x = X[:4000]
    io.write_tensors(folder / "L1R.safetensors", {"x": x, "token": np.arange(len(x))})
    row = np.arange(len(x)) // 10
    io.write_table(folder / "tokens.parquet", pa.table({"row": row, "group": row}))
    return folder


def work(corpus, saes, cells, **more):
    """A training of cells together; more: settings of all."""
    members = {f"L1R-{name}": spec(name, **more) for name in cells}
    return train_together(stream_of(corpus), members, saes)


def stream_of(corpus):
    return files([corpus / "L1R.safetensors"], corpus / "tokens.parquet")


def finished(saes):
    """The bytes of what stands in the store, without the digests of the names."""
    files = (p for p in (saes / "store").rglob("*") if p.is_file())
    # What safetensors was writing when it was killed is removed by the plan (`leftovers`).
    found = sorted(p for p in files if not p.name.startswith("."))
    return {(p.parent.name.rpartition("-")[0], p.name): p.read_bytes() for p in found}


KILLED = """
from saegrid.saes.training import loop
from saegrid.saes.training.cells import train_together
from saegrid.saes.training.stream import files
loop.MOST = 2
activations, tokens, members, saes = arguments
train_together(files(activations, tokens), members, saes, cores=2, save_every=0.0)
"""


@pytest.mark.slow
def test_a_training_killed_ten_times_ends_with_the_same_bytes(corpus, tmp_path):
    """SIGKILL at random steps; each run goes on where the one before it had come to."""
    work(corpus, tmp_path / "whole", TOGETHER, **LONG)
    undisturbed, saes = finished(tmp_path / "whole"), tmp_path / "killed"
    stopped = io.read_table(next(tmp_path.glob("whole/store/L1R-c-*/history.parquet")))
    assert stopped["step"][-1].as_py() < 600, "one of them stops early, with its best weights"
    members = {f"L1R-{name}": spec(name, **LONG) for name in TOGETHER}
    case = [corpus / "L1R.safetensors"], corpus / "tokens.parquet", members, saes
    chance, kills, reached = random.Random(0), 0, []
    while kills < 10:
        aim = chance.randrange(1, 40)
        process, out = start(KILLED, *case)
        steps = steps_kept(saes)
        while process.is_alive():
            if max(steps_kept(saes), default=0) >= max(steps, default=0) + aim:
                break
            time.sleep(0.002)
        process.kill()
        process.join()
        printed = out.read()
        if process.exitcode == -signal.SIGKILL:
            kills += 1
            reached.append(max(steps_kept(saes), default=0))
            assert kills == 1 or "goes on after step" in printed
        else:
            assert process.exitcode == 0, printed
            break
    assert kills == 10, "the training was over too soon"
    assert reached == sorted(reached) and reached[0] > 0 and reached[-1] < 600, reached
    assert not set(finished(saes)) & set(undisturbed), "nothing was finished yet"
    work(corpus, saes, TOGETHER, **LONG)
    assert finished(saes) == undisturbed


def steps_kept(saes):
    """Steps of the trainings under way, as their files say."""
    found = []
    for path in (saes / "store").glob("L1R-*.safetensors"):
        try:
            found.append(json.loads(io.read_header(path)["numbers"])[0])
        except FileNotFoundError:
            continue
    return found


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_goes_on_after_any_step(tmp_path, recipe):
    """The file under way holds all that a training is: moments, counters, best weights, history."""
    stream = of_array(X[:3000], 0.1, 0)
    told = QUICK[recipe] | {"steps": 24, "batch": 64, "dead_after": 256, "validate_every": 5}
    told |= {"patience": 20}
    (whole,) = train_many(stream, [Run(recipe, told, 4)], site=SITE)
    for stop in (1, 13, 23):
        path = tmp_path / f"{stop}.safetensors"
        state = State(Run(recipe, told, 4), world_of(stream, 0), path)
        for batch in islice(stream.batches(64, 0, 0), stop):
            state.learn(torch.from_numpy(np.multiply(batch, np.float32(state.scale))))
        state.save()
        (resumed,) = train_many(stream, [Run(recipe, told, 4)], site=SITE, kept=[path])
        assert same(whole, resumed), stop
        assert whole.history.equals(resumed.history)
        assert whole.cfg == resumed.cfg


def test_the_file_of_another_training_is_passed_over(tmp_path, capsys):
    stream, path = of_array(X[:3000], 0.1, 0), [tmp_path / "x.safetensors"]
    told = QUICK["topk"] | {"batch": 64}
    train_many(stream, [Run("topk", told, 4)], site=SITE, kept=path, save_every=0.0)
    assert path[0].is_file()
    others = [Run("topk", told, 4, 1), Run("topk", told, 2)]
    others += [Run("topk", told | more, 4) for more in ({"lr": 0.1}, {"whiten": "zca"})]
    for run in others:
        capsys.readouterr()
        train_many(stream, [run], site=SITE, kept=path)
        assert "goes on" not in capsys.readouterr().out
    train_many(stream, [Run("topk", told, 4)], site=SITE, kept=path)
    assert "goes on after step 30" in capsys.readouterr().out


def test_cells_alone_and_together_are_the_same_files(corpus, tmp_path):
    work(corpus, tmp_path, TOGETHER)
    for name in TOGETHER:
        cell = f"L1R-{name}"
        train_cell(nullcontext(stream_of(corpus)), cell, spec(name), tmp_path)
        train_cell(nullcontext(stream_of(corpus)), cell, spec(name), tmp_path / "alone")
        linked, alone = sorted((tmp_path / cell).iterdir()), (tmp_path / "alone" / cell).iterdir()
        assert [p.read_bytes() for p in linked] == [p.read_bytes() for p in sorted(alone)]
        assert all(p.stat().st_nlink == 2 for p in linked)
        assert recorded_spec(tmp_path / cell / "sae_weights.safetensors") == spec(name)
    assert not list((tmp_path / "alone").rglob("store/*"))


def test_a_training_is_kept_where_what_it_learned_from_fails_behind_it(corpus, tmp_path, capsys):
    """A store that is filled beside it runs out of disk after its last step."""

    @contextmanager
    def failing():
        yield stream_of(corpus)
        raise OSError("disk full")

    def train(learned_from):
        train_cell(learned_from, "L1R-a", spec("a"), tmp_path, save_every=0.0)

    with pytest.raises(OSError, match="disk full"):
        train(failing())
    capsys.readouterr()
    train(nullcontext(stream_of(corpus)))
    assert "goes on after step 100" in capsys.readouterr().out
    assert not list((tmp_path / "store").iterdir())


def test_a_change_of_one_member_trains_that_one(corpus, tmp_path, capsys):
    first = work(corpus, tmp_path, ["a", "b"])
    before = finished(tmp_path)
    members = {"L1R-a": spec("a", k=5), "L1R-b": spec("b")}
    capsys.readouterr()
    second = train_together(stream_of(corpus), members, tmp_path)
    assert "1 of 2 are in the store" in capsys.readouterr().out
    after = finished(tmp_path)
    assert first["L1R-b"] == second["L1R-b"] and first["L1R-a"] != second["L1R-a"]
    assert len(list((tmp_path / "store").iterdir())) == 2
    changed = {key for key in after if after[key] != before.get(key)}
    assert {name for name, _ in changed} == {"L1R-a"}


def test_one_that_goes_astray_does_not_take_the_others_along(corpus, tmp_path, capsys):
    """The others keep what they have learned, and the one is named; without it they are done."""
    members = {"L1R-a": spec("a"), "L1R-b": spec("b", lr=1e30, clip=0.0), "L1R-c": spec("c")}
    with pytest.raises(ValueError) as lost:
        train_together(stream_of(corpus), members, tmp_path)
    first, second = str(lost.value).splitlines()
    assert first == "1 of 3 have no SAE. The other 2 are kept and not trained again."
    assert second.startswith("L1R-b: ") and "not finite: training has gone astray" in second
    del members["L1R-b"]
    capsys.readouterr()
    train_together(stream_of(corpus), members, tmp_path)
    assert "2 of 2 are in the store" in capsys.readouterr().out
    train_cell(nullcontext(stream_of(corpus)), "L1R-c", spec("c"), tmp_path / "alone")
    for name in ("cfg.json", "sae_weights.safetensors"):
        (kept,) = (tmp_path / "store").glob(f"L1R-c-*/{name}")
        assert kept.read_bytes() == (tmp_path / "alone/L1R-c" / name).read_bytes()


def test_what_its_own_folder_holds_is_not_trained_again(corpus, tmp_path, capsys):
    train_cell(nullcontext(stream_of(corpus)), "L1R-a", spec("a"), tmp_path)
    capsys.readouterr()
    work(corpus, tmp_path, ["a"])
    assert "1 of 1 are in the store" in capsys.readouterr().out
