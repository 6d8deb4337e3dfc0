"""Checkpoints from the hub: fetched in pieces, checked, shared, and kept to a budget."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from asking import cell_at, files, inputs, plan_of, spec, wants
from cached import REPO, SIZE, noise, wanted
from checkpoints import llama_scope
from loopback import COMMIT, environment, serve, use
from saegrid.base.errors import CheckpointError
from saegrid.codes.encode import DEVICE
from saegrid.config.models import Hub as Settings
from saegrid.saes.cache import BUDGET, DEFAULTS, FOLDER, Cache, Lease, name_of
from saegrid.saes.cache.cache import _gb
from saegrid.saes.cache.download import Remote, describe, fetch
from saegrid.saes.cache.locks import alone, flock, open_lock
from saegrid.saes.reference import NORMS, REFERENCE, import_sae, open_sae, resolve
from saegrid.stages.stage import At

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with serve(tmp_path / "hub") as served:
        use(served, monkeypatch, tmp_path / "own")
        yield served


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", budget=int(2.5 * SIZE), grace=0.3, poll=0.02)


def publish(hub, path, content):
    file = hub.root / REPO / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def there(cache):
    return {p.name.rpartition("-")[0] for p in cache.folder.iterdir() if p.is_dir()}


def taken(cache):
    return sum(p.stat().st_size for p in cache.folder.rglob("w"))


# --- one file -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 5_000, SIZE])
def test_a_file_comes_with_the_checksum_of_its_kind(tmp_path, hub, size):
    publish(hub, "a/w", noise(0, size))
    remote = describe(REPO, "a/w", COMMIT)
    assert (remote.size, len(remote.checksum)) == (size, 64 if size == SIZE else 40)
    fetch(remote, tmp_path / "x/w")
    assert (tmp_path / "x/w").read_bytes() == noise(0, size)


@pytest.mark.parametrize("ranges", [True, False], ids=["206", "200"])
def test_a_download_goes_on_where_it_stopped(tmp_path, hub, ranges):
    """A server that sends the whole file again (200) has the whole file taken."""
    publish(hub, "a/w", noise(0))
    hub.ranges = ranges
    (tmp_path / "w").write_bytes(noise(0)[:70_000])
    fetch(describe(REPO, "a/w", COMMIT), tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == noise(0)
    assert [g.sent for g in hub.gets] == [SIZE - 70_000 if ranges else SIZE]


def test_a_whole_file_is_only_checked_and_too_long_a_one_fetched_anew(tmp_path, hub):
    publish(hub, "a/w", noise(0))
    remote = describe(REPO, "a/w", COMMIT)
    (tmp_path / "w").write_bytes(noise(0))
    fetch(remote, tmp_path / "w")
    assert not hub.gets
    (tmp_path / "w").write_bytes(noise(0) + b"x")
    fetch(remote, tmp_path / "w")
    assert [g.start for g in hub.gets] == [0]
    assert (tmp_path / "w").read_bytes() == noise(0)


@pytest.mark.parametrize("size", [5_000, SIZE])
def test_wrong_content_is_refused_and_deleted(tmp_path, hub, size):
    publish(hub, "a/w", noise(0, size))
    hub.spoilt = {f"{REPO}/a/w"}
    remote = describe(REPO, "a/w", COMMIT)
    with pytest.raises(CheckpointError) as error:
        fetch(remote, tmp_path / "w")
    assert not (tmp_path / "w").exists()
    told = str(error.value)
    assert told.startswith(f"{tmp_path}/w: what came from some/saes as a/w has the checksum ")
    assert told.endswith(
        f"the hub promised {remote.checksum[:12]}. The file has been deleted; "
        "run again to fetch it anew."
    )
    hub.spoilt = set()
    fetch(remote, tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == noise(0, size)


def test_a_wrong_beginning_shows_in_the_checksum(tmp_path, hub):
    publish(hub, "a/w", noise(0))
    (tmp_path / "w").write_bytes(bytes(1000))
    with pytest.raises(CheckpointError, match="has been deleted"):
        fetch(describe(REPO, "a/w", COMMIT), tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_hub_without_checksums_is_refused(hub, monkeypatch):
    publish(hub, "a/w", noise(0))
    monkeypatch.setattr("loopback.checksum", lambda content: "abc")
    with pytest.raises(CheckpointError) as error:
        describe(REPO, "a/w", COMMIT)
    assert str(error.value) == (
        "some/saes: of a/w the hub tells no size and checksum (size 100000, etag 'abc'), so that a "
        "download cannot be checked. If HF_ENDPOINT names a mirror, take another, or give the "
        "`path` of a copy."
    )


def test_without_the_hub_the_message_says_what_to_do(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError) as error:
        describe(REPO, "a/w", COMMIT)
    assert str(error.value).startswith(f"some/saes: a/w at {COMMIT[:12]} does not come from")
    assert str(error.value).endswith("without a network give the `path` of a copy.")


# --- room -----------------------------------------------------------------------------------


def test_what_was_used_longest_ago_goes_first(hub, cache):
    for number, name in enumerate("abc"):
        publish(hub, f"{name}/w", noise(number))
    for name in "ab":
        cache.lease(*wanted(name)).release()
        time.sleep(0.02)
    cache.lease(*wanted("a")).release()
    cache.lease(*wanted("c")).release()
    assert there(cache) == {"a", "c"}
    with cache.lease(*wanted("a")) as lease:
        assert (lease.folder / "w").read_bytes() == noise(0)
    assert list(hub.fetched().values()) == [1, 1, 1]


def test_what_is_spent_goes_before_what_is_older_and_at_once(hub, cache):
    for number, name in enumerate("abc"):
        publish(hub, f"{name}/w", noise(number))
    cache.lease(*wanted("a")).release()
    cache.lease(*wanted("b")).release(spent=True)
    begin = time.monotonic()
    cache.lease(*wanted("c")).release()
    assert there(cache) == {"a", "c"}
    assert time.monotonic() - begin < cache.grace


def test_what_a_later_job_needs_stays_while_others_read(hub, cache, capsys):
    """b was fetched for later and a is being read: c waits for a, rather than to take b's room."""
    for number, name in enumerate("abc"):
        publish(hub, f"{name}/w", noise(number))
    reader = subprocess.Popen(
        [sys.executable, "-c", HOLD, cache.folder, str(cache.budget), "a", "1.5"],
        env=environment(hub, PYTHONPATH=os.pathsep.join(sys.path)),
        stdout=subprocess.PIPE,
    )
    reader.stdout.readline()
    cache.lease(*wanted("b")).release()
    cache.lease(*wanted("c")).release()
    assert reader.wait() == 0
    assert there(cache) == {"b", "c"}
    name = wanted("c")[0]
    need = SIZE - (cache.budget - 2 * SIZE)
    assert (
        f"{name}: waiting for {need} of {SIZE} bytes in {cache.folder} (hub.budget_gb is 0.00025; "
        f"being read: {wanted('a')[0]})\n"
    ) in capsys.readouterr().out


HOLD = """
import sys, time
from pathlib import Path
from cached import wanted
from saegrid.saes.cache import Cache
cache = Cache(Path(sys.argv[1]), int(sys.argv[2]), grace=0.3, poll=0.02)
with cache.lease(*wanted(sys.argv[3])) as lease:
    print("there", flush=True)
    time.sleep(float(sys.argv[4]))
    assert (lease.folder / "w").stat().st_size
    lease.release(spent=True)
"""


def test_a_checkpoint_larger_than_the_budget_is_refused(hub, cache):
    publish(hub, "a/w", noise(0, 3 * SIZE + 1))
    name, files = wanted("a")
    with pytest.raises(CheckpointError) as error:
        cache.lease(name, files)
    assert str(error.value) == (
        f"hub.budget_gb is 0.00025, but the checkpoint {name} alone takes 300001 bytes. "
        "Set hub.budget_gb to 0.000301 or more."
    )
    Cache(cache.folder, round(0.000301e9)).lease(name, files).release()


@pytest.mark.parametrize(
    ("size", "up", "text"),
    [
        (60 * 10**9, False, "60"),
        (100 * 10**9, False, "100"),
        (2_147_483_648, True, "2.15"),
        (536_870_912, True, "0.537"),
        (2_150_000_001, True, "2.16"),
    ],
)
def test_sizes_in_gb(size, up, text):
    assert _gb(size, up) == text


def test_a_full_disk_is_told_before_the_start(hub, cache, monkeypatch):
    publish(hub, "a/w", noise(0))
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("saegrid.saes.cache.cache.shutil.disk_usage", lambda _: usage)
    name, files = wanted("a")
    with pytest.raises(CheckpointError) as error:
        cache.lease(name, files)
    assert str(error.value) == (
        f"{cache.folder}: the checkpoint {name} takes 100000 bytes more, and the disk would not "
        "have them without all other checkpoints (1000 bytes). "
        "Free some, or name a folder on another disk: hub.cache"
    )
    assert not hub.gets


def test_room_on_the_disk_is_made_as_room_in_the_budget(hub, cache, monkeypatch):
    for number, name in enumerate("ab"):
        publish(hub, f"{name}/w", noise(number))
    cache.lease(*wanted("a")).release(spent=True)
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("saegrid.saes.cache.cache.shutil.disk_usage", lambda _: usage)
    cache.lease(*wanted("b")).release()
    assert there(cache) == {"b"}


def test_other_things_in_the_folder_stay(hub, cache):
    (cache.folder / "thesis").mkdir(parents=True)
    (cache.folder / "thesis/w").write_bytes(noise(9, 3 * SIZE))
    (cache.folder / "thesis.lock").write_text("")
    for number, name in enumerate("abc"):
        publish(hub, f"{name}/w", noise(number))
        cache.lease(*wanted(name)).release(spent=True)
    assert (cache.folder / "thesis/w").stat().st_size == 3 * SIZE


# --- many processes -------------------------------------------------------------------------


@pytest.mark.slow
def test_two_that_want_the_same_fetch_it_once(hub, cache):
    publish(hub, "a/w", noise(0))
    command = [sys.executable, "-c", HOLD, cache.folder, str(cache.budget), "a", "0"]
    env = environment(hub, PYTHONPATH=os.pathsep.join(sys.path))
    jobs = [subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [job.wait() for job in jobs] == [0] * 4
    assert [g.sent for g in hub.gets] == [SIZE]


WORK = """
import random, sys, time
from pathlib import Path
from cached import noise, wanted
from saegrid.saes.cache import Cache
cache = Cache(Path(sys.argv[1]), int(sys.argv[2]), grace=0.05, poll=0.01)
choose = random.Random(int(sys.argv[3]))
for _ in range(12):
    name = choose.choice("abcde")
    with cache.lease(*wanted(name)) as lease:
        for _ in range(3):
            assert (lease.folder / "w").read_bytes() == noise("abcde".index(name)), name
            time.sleep(0.01)
        lease.release(spent=choose.random() < 0.3)
"""


@pytest.mark.slow
def test_many_processes_read_what_is_right_within_the_budget(hub, cache):
    for number, name in enumerate("abcde"):
        publish(hub, f"{name}/w", noise(number))
    env = environment(hub, PYTHONPATH=os.pathsep.join(sys.path))
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, cache.folder, str(cache.budget), str(seed)], env=env
        )
        for seed in range(4)
    ]
    most = 0
    while any(job.poll() is None for job in jobs):
        cache.folder.mkdir(exist_ok=True)
        with alone(cache.folder / "budget.lock"):  # nothing is deleted while it is counted
            most = max(most, taken(cache))
        time.sleep(0.005)
    assert [job.wait() for job in jobs] == [0] * 4
    assert SIZE < most <= cache.budget
    assert not list(cache.folder.glob("*.part"))


@pytest.mark.slow
def test_kills_leave_nothing_broken(hub, cache):
    """Whatever moment a job is killed at, those after it find what is right, and room."""
    for number, name in enumerate("abcde"):
        publish(hub, f"{name}/w", noise(number))
    env = environment(hub, PYTHONPATH=os.pathsep.join(sys.path))
    quiet = {"env": env, "stdout": subprocess.DEVNULL}
    command = [sys.executable, "-c", WORK, cache.folder, str(cache.budget)]
    moments = np.random.default_rng(0).uniform(0, 0.4, 6)
    for seed, moment in enumerate(moments):
        asked = len(hub.heads)
        job = subprocess.Popen([*command, str(seed)], **quiet)
        while len(hub.heads) == asked and job.poll() is None:  # until it is at work
            time.sleep(0.01)
        time.sleep(moment)
        job.kill()
        job.wait()
    jobs = [subprocess.Popen([*command, str(seed)], **quiet) for seed in (10, 11)]
    assert [job.wait() for job in jobs] == [0, 0]
    assert taken(cache) <= cache.budget


def test_a_killed_download_goes_on(hub, cache, tmp_path):
    """Pieces of 10 MB are written: of 25 MB some 20 are there when the process is killed."""
    size = 25 << 20
    publish(hub, "a/w", noise(0, size))
    hub.stop_after = 24 << 20
    budget = 2 * size
    job = subprocess.Popen(
        [sys.executable, "-c", HOLD, cache.folder, str(budget), "a", "0"],
        env=environment(hub, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    name, files = wanted("a")
    part = cache.folder / f"{name}.part/w"
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size >= 20 << 20):
        assert time.monotonic() < deadline and job.poll() is None
        time.sleep(0.02)
    job.send_signal(signal.SIGKILL)
    job.wait()
    there = part.stat().st_size
    hub.stop_after = None
    with Cache(cache.folder, budget).lease(name, files) as lease:
        assert (lease.folder / "w").read_bytes() == noise(0, size)
    assert [(g.start, g.sent) for g in hub.gets][1:] == [(there, size - there)]
    assert not part.exists()


def test_what_a_killed_job_left_is_deleted_for_another(hub, cache):
    for number, name in enumerate("ab"):
        publish(hub, f"{name}/w", noise(number))
    left = cache.folder / f"{wanted('a')[0]}.part"
    left.mkdir(parents=True)
    (left / "w").write_bytes(noise(0)[:99_000])
    # The lock says what the killed job had been promised; nobody holds it.
    left.with_suffix(".lock").write_text("100000")
    small = Cache(cache.folder, SIZE, grace=60)
    small.lease(*wanted("b")).release()
    assert there(small) == {"b"}


def test_two_that_wait_do_not_keep_room_from_each_other(hub, cache):
    """Both have parts of a killed download that together leave room for neither."""
    for number, name in enumerate("ab"):
        publish(hub, f"{name}/w", noise(number))
        part = cache.folder / f"{wanted(name)[0]}.part"
        part.mkdir(parents=True)
        (part / "w").write_bytes(noise(number)[:90_000])
    small = Cache(cache.folder, SIZE + 50_000, poll=0.02)
    waiting = open_lock(cache.folder / f"{wanted('b')[0]}.lock")
    flock(waiting, "LOCK_EX")
    one = threading.Thread(target=lambda: small.lease(*wanted("a")).release(), daemon=True)
    one.start()
    deadline = time.monotonic() + 20
    while (cache.folder / f"{wanted('a')[0]}.part").exists():
        assert time.monotonic() < deadline, "a keeps its part and waits for that of b"
        time.sleep(0.02)
    assert there(small) == {"b"} and one.is_alive()
    waiting.close()
    one.join(20)
    assert there(small) == {"a"}


@pytest.mark.parametrize("held, told", [(0.2, ""), (1.5, "somebody reads\n")])
def test_only_a_wait_worth_telling_is_told(tmp_path, capsys, held, told):
    with open_lock(tmp_path / "lock") as mine, open_lock(tmp_path / "lock") as other:
        flock(other, "LOCK_EX")
        threading.Timer(held, flock, (other, "LOCK_UN")).start()
        flock(mine, "LOCK_SH", "somebody reads")
    assert capsys.readouterr().out == told


def test_a_disk_without_locks_is_told(hub, cache, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    name, files = wanted("a")
    with pytest.raises(CheckpointError) as error:
        cache.lease(name, files)
    assert str(error.value) == (
        f"{cache.folder}/{name}.lock: files cannot be locked on this disk "
        "(Function not implemented). Keep the cache of checkpoints (hub.cache), and results with "
        "activation stores, on one where they can."
    )


# --- SAEs -----------------------------------------------------------------------------------


def scope(hub, monkeypatch, folder, budget_gb="0.001"):
    """An SAE on the hub: what the config says of it. The cache is `folder`."""
    llama_scope(hub.root / REPO / "L15R-8x")
    monkeypatch.setenv(FOLDER, str(folder))
    monkeypatch.setenv(BUDGET, budget_gb)
    return {"format": "llama_scope", "repo": REPO, "folder": "L15R-8x", "revision": COMMIT}


def locked(folder):
    """Return True if another process could not delete the folder now."""
    import fcntl

    with next(folder.glob("L15R-8x-*.lock")).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_an_open_sae_holds_its_checkpoint(tmp_path, hub, monkeypatch):
    sae = scope(hub, monkeypatch, tmp_path / "cache")
    folder = tmp_path / "saes/L15R-8x"
    import_sae(sae, "L15R-8x", folder / REFERENCE, folder / NORMS)
    assert not locked(tmp_path / "cache")
    with open_sae(folder) as opened:
        assert locked(tmp_path / "cache")
        assert str(opened.site) == "L15R"
    assert not locked(tmp_path / "cache")
    kept = open_sae(folder)
    assert locked(tmp_path / "cache")
    del kept
    assert not locked(tmp_path / "cache")
    assert hub.fetched("final.safetensors") == {f"{REPO}/L15R-8x/checkpoints/final.safetensors": 1}


def test_the_last_stage_gives_a_checkpoint_up_only_if_it_ended_well(tmp_path, hub, monkeypatch):
    sae = scope(hub, monkeypatch, tmp_path / "cache")
    folder = tmp_path / "saes/L15R-8x"
    import_sae(sae, "L15R-8x", folder / REFERENCE, folder / NORMS)
    with resolve(sae) as lease:
        checkpoint = lease.folder
    with pytest.raises(ZeroDivisionError), open_sae(folder, last=True):
        raise ZeroDivisionError
    assert checkpoint.stat().st_mtime > 0
    with open_sae(folder, last=True):
        pass
    assert checkpoint.stat().st_mtime == 0
    with open_sae(folder):
        assert checkpoint.stat().st_mtime > 0


def test_a_deleted_checkpoint_comes_again_and_is_the_same(tmp_path, hub, monkeypatch):
    import shutil

    sae = scope(hub, monkeypatch, tmp_path / "cache")
    folder = tmp_path / "saes/L15R-8x"
    import_sae(sae, "L15R-8x", folder / REFERENCE, folder / NORMS)
    shutil.rmtree(tmp_path / "cache")
    with open_sae(folder) as opened:
        assert opened.facts == json.loads((folder / REFERENCE).read_text())["facts"]


def test_a_failed_opening_holds_nothing(tmp_path, hub, monkeypatch):
    sae = scope(hub, monkeypatch, tmp_path / "cache")
    folder = tmp_path / "saes/L15R-8x"
    import_sae(sae, "L15R-8x", folder / REFERENCE, folder / NORMS)
    (folder / NORMS).unlink()
    with pytest.raises(CheckpointError, match="Give the same snakemake command again"):
        open_sae(folder)
    assert not locked(tmp_path / "cache")


def test_a_local_folder_is_neither_touched_nor_deleted(tmp_path, hub, monkeypatch):
    """Not even where it stands in the cache's folder and the budget is spent."""
    cache = tmp_path / "cache"
    path = llama_scope(cache / "mine-0123456789ab")
    path.chmod(0o555)
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in path.rglob("*") if p.is_file()}
    local = {"format": "llama_scope", "path": str(path)}
    folder = tmp_path / "saes/L15R-8x"
    import_sae(local, "L15R-8x", folder / REFERENCE, folder / NORMS)
    changed = path.stat().st_mtime_ns
    size = sum(len(content) for _, content in before.values())
    remote = scope(hub, monkeypatch, cache, budget_gb=repr(1.5 * size / 1e9))
    with open_sae(folder, last=True), resolve(remote):
        pass
    assert path.stat().st_mtime_ns == changed
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in before} == before


def test_what_the_hubs_own_cache_holds_is_read_there(tmp_path, hub, monkeypatch):
    from huggingface_hub import hf_hub_download

    sae = scope(hub, monkeypatch, tmp_path / "cache")
    for name in ("hyperparams.json", "checkpoints/final.safetensors"):
        hf_hub_download(REPO, f"L15R-8x/{name}", revision=COMMIT)
    hub.gets.clear()
    hub.heads.clear()
    with resolve(sae) as lease:
        assert lease.folder.is_relative_to(tmp_path / "own")
        assert (lease.folder / "hyperparams.json").is_file()
    assert not hub.gets and not hub.heads
    assert not (tmp_path / "cache").exists()


def test_the_environment_names_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    monkeypatch.setenv(FOLDER, "${SCRATCH}/c")
    monkeypatch.setenv(BUDGET, "2.5")
    assert Cache.of_environment() == Cache(tmp_path / "c", 2_500_000_000)
    settings = Settings()
    assert {FOLDER: settings.cache, BUDGET: f"{settings.budget_gb:g}"} == DEFAULTS


def test_a_plan_asks_for_the_activations_first_only_where_a_checkpoint_is_fetched():
    study = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    where = {"revision": COMMIT, "repo": REPO, "folder": "L{layer}{position}"}
    scope = {"source": "checkpoint", "format": "llama_scope"}
    study["saes"]["1x"] = scope | where
    study["saes"]["2x"] = scope | {"path": "somewhere"}
    study["grid"] = [{"layers": [1], "positions": ["r"], "saes": ["1x", "2x", "8x"]}]
    study |= {"threads": {"encode": 3}, "hub": {"cache": "${A}/b", "budget_gb": 0.5}}
    study["model"]["path"] = str(ROOT / study["model"]["path"])
    study["corpora"]["headlines"]["source"]["files"]["all"] = str(
        ROOT / "resources/toy/headlines.csv"
    )
    plan = plan_of(study)
    cells = [cell_at("", name) for name in ("L1R-1x", "L1R-2x", "L1R-8x")]
    assert [plan.saes.from_hub(at.cell) for at in cells] == [True, False, False]
    jobs = [wants(plan, "import_sae", at) for at in cells]
    assert [job["hub"] for job in jobs] == [1, 0, 0]
    assert [job["threads"] for job in jobs] == [3, 1, 1]
    activations = files(plan, "capture.activations", At("headlines", site="L1R"))
    before = [inputs(plan, "import_sae", "before", at) for at in cells]
    assert before == [activations, [], []] and len(activations) == 1
    study["corpora"]["headlines"]["shards"] = 2
    sharded = inputs(plan_of(study), "import_sae", "before", cells[0])
    assert [path.count("/shard-") for path in sharded] == [1, 1]
    assert plan.environment() == {FOLDER: "${A}/b", BUDGET: "0.5", DEVICE: "cpu"}
    study["hub"] = {"budget_gb": 7}
    specs = [spec(one, "import_sae", cells[0]) for one in (plan, plan_of(study))]
    assert specs[0] == specs[1]


def test_a_lease_without_a_lock_is_a_folder(tmp_path):
    with Lease(tmp_path) as lease:
        assert lease.folder == tmp_path
    lease.release(spent=True)
    assert tmp_path.stat().st_mtime > 0


def test_names_differ_where_anything_does():
    one = ("fnlp/a", "L1R-8x", COMMIT, ("f", "w"))
    others = [("fnlp/b", *one[1:]), (*one[:2], "f" * 40, one[3]), (*one[:3], ("f", "v"))]
    assert len({name_of(*case) for case in [one, *others]}) == 4
    assert name_of(*one).startswith("L1R-8x-")
    assert name_of("fnlp/a", "", COMMIT, ("f",)).startswith("a-")
    assert isinstance(Remote(*one[:3], 1, "x"), tuple) and Path(name_of(*one)).name == name_of(*one)
