"""What a run of a study comes to: its jobs, their costs, and whether the disk suffices."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from saegrid.base.paths import expand
from saegrid.stages.plan.costs import Costs, Job, here
from saegrid.stages.plan.files import Plan
from saegrid.stages.rates import Rates, rates
from saegrid.stages.totals import Estimate, add_up, duration, plural, size, table

MEMORY = ".snakemake/saegrid-rates.json"
"""Where the rates of this machine are remembered."""
HEAVY_WORK, HEAVY_BYTES = 10**13, 20 * 10**9
"""Multiplications, and bytes read and written, from which a run is worth measuring the machine."""


class DiskError(ValueError):
    """A run for which the disk does not suffice; the message says how much is missing."""


# --- jobs --------------------------------------------------------------------------------------


def jobs_of(plan: Plan) -> Iterator[tuple[Job, str, str]]:
    """All jobs of a study, each with the file that records its spec, and the spec."""
    root, main, used = plan.root, plan.main, plan.corpora_used()
    if plan.study.metrics.all:
        used += [name for name in plan.corpora_judged_on() if name not in used]
    for name in filter(lambda name: not plan.is_streamed(name), used):
        folder = f"{root}/{name}"
        yield Job("items", None, name), f"{folder}/items.parquet", plan.items_spec(name)
        yield Job("selection", None, name), f"{folder}/selection.parquet", plan.selection_spec(name)
        yield Job("tokens", None, name), f"{folder}/tokens.parquet", plan.tokens_spec(name)
    for path in plan.verified_files():
        yield Job("verify_checkpoint"), path, plan.verify_spec()
    for name in used:
        for shard in plan.shards(name):
            spec = plan.capture_spec(name, shard)
            paths = [plan.activations(name, str(site), shard) for site in plan.sites]
            # One that is missing stands for all.
            path = next((path for path in paths if not here(path, spec)), paths[0])
            rule = "fill_store" if plan.is_streamed(name) else "capture"
            if plan.is_beside(name):
                rule, path = "begin_store", plan.begun_store(name, str(plan.sites[0]))
            yield Job(rule, None, name, shard), path, spec
    cells = [str(cell) for cell in plan.cells]
    for cell in cells:
        rule = "train_sae" if plan.is_trained(cell) else "import_sae"
        yield Job(rule, cell), plan.sae_files(cell)[1], plan.sae_spec(cell)
        for shard in plan.shards(main):
            path = f"{root}/{main}/cells/{cell}/features{shard}.safetensors"
            yield Job("encode", cell, main, shard), path, plan.encode_spec(cell, main, shard)
        if plan.shard_files(cell, main):
            path = f"{root}/{main}/cells/{cell}/features.safetensors"
            yield Job("merge", cell, main), path, plan.merge_spec(cell, main)
    stages: dict[str, tuple[str, Callable[[str, str], str]]] = {
        "density": ("features.parquet", plan.density_spec),
        "top_tokens": ("top_tokens.parquet", plan.top_tokens_spec),
        "logit_effects": ("logit_effects.parquet", plan.logit_effects_spec),
        "page": ("features.html", plan.page_spec),
    }
    for rule, (file, spec_of) in stages.items():
        for cell in cells:
            path = f"{root}/{main}/cells/{cell}/{file}"
            yield Job(rule, cell, main), path, spec_of(cell, main)
    if plan.study.metrics.all:
        yield from metric_jobs(plan)
    yield Job("summary"), f"{root}/summary.parquet", plan.summary_spec()
    yield Job("plot"), plan.figure_targets()[0], ""
    yield Job("index"), f"{root}/index.html", plan.index_spec()


def metric_jobs(plan: Plan) -> Iterator[tuple[Job, str, str]]:
    """Jobs of the target `metrics`, as in `jobs_of`."""
    for cell in map(str, plan.cells):
        name = plan.measured_corpus(cell)
        path = plan.metrics_file(cell, name)
        yield Job("measure", cell, name), path, plan.metrics_spec(cell, name)
    for name, site in plan.measured_sites():
        path = plan.baselines_file(name, site)
        yield Job("baselines", site, name), path, plan.baselines_spec(name, site)
    yield Job("health"), f"{plan.root}/health.parquet", plan.health_spec()


def to_do(plan: Plan) -> list[Job]:
    """Jobs whose file is missing or was made with other settings."""
    return [job for job, path, spec in jobs_of(plan) if not here(path, spec)]


# --- the forecast ------------------------------------------------------------------------------


class Forecast(NamedTuple):
    """An estimate with what it rests on."""

    estimate: Estimate
    notes: list[str]
    """What was guessed or left out, a sentence each."""
    free: int
    """Bytes free on the disk of the results."""
    root: str
    """Folder of the study."""

    @property
    def heavy(self) -> bool:
        """Whether the run is worth a table."""
        total = self.estimate.total
        return self.estimate.work > HEAVY_WORK or total.read + total.write > HEAVY_BYTES

    def summary(self) -> str:
        """One line."""
        total = self.estimate.total
        took = ""
        if total.seconds is not None:
            took = f", about {duration(total.seconds)} on {plural(self.estimate.cores, 'core')}"
        return (
            f"Estimate: {plural(total.jobs, 'job')}, {size(total.read)} to read, "
            f"{size(total.write)} to write, {size(total.memory)} of memory in the largest job"
            f"{took}; {size(self.free)} free on the disk."
        )

    def text(self) -> str:
        """The table, what it rests on, and how the disk stands."""
        need = self.estimate.needed
        verdict = "enough" if need <= self.free else "NOT ENOUGH"
        disk = f"{self.root}: needs {size(need)} of disk, {size(self.free)} are free: {verdict}."
        return "\n".join([table(self.estimate), *self.notes, disk])

    def check(self) -> None:
        """DiskError where the disk does not suffice."""
        need = self.estimate.needed
        if need > self.free:
            raise DiskError(
                f"{self.root}: this run needs about {size(need)} of disk, but {size(self.free)} "
                "are free. Make room, let `results` be a link to a larger disk, or do less: a "
                "smaller grid, fewer context tokens (corpora.*.tokens.context), dtype bfloat16. "
                "`snakemake estimate` shows the table; --no-hooks goes on anyway."
            )


def free_bytes(folder: str | Path) -> int:
    """Free bytes on the disk of a folder that may not be there yet."""
    path = Path(folder).resolve()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def machine_memory() -> int:
    """Bytes of memory of this machine; 0 where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def largest_input(plan: Plan) -> Path | None:
    """The largest file that the run reads: of the model, or of a cell's checkpoint."""
    found = [Path(path) for path in plan.model_files()]
    for cell in map(str, plan.cells[:1]):
        given = None if plan.is_trained(cell) else plan.checkpoint(cell)["path"]
        found += [] if given is None else Path(expand(given)).rglob("*.safetensors")
    return max(found, key=lambda path: path.stat().st_size, default=None)


def forecast(
    plan: Plan, jobs: Iterable[Job] | None = None, cores: int = 1, measured: bool | None = None
) -> Forecast:
    """What jobs come to; by default all whose files are not there.

    measured: with times; None: where the run is heavy.
    """
    wanted = sorted(to_do(plan) if jobs is None else jobs, key=lambda job: job.place)
    known, priced, unknown = Costs(plan), [], set()
    for job in wanted:
        cost = known.of(job)
        if cost is None:
            unknown.add(job.rule)
        else:
            priced.append((job.rule, cost))
    notes = [
        f"{name}: not tokenised yet; counts are guessed from {text.guess}."
        for name, text in known.texts.items()
        if text.guess
    ]
    if unknown:
        notes.append(
            f"Not counted: {', '.join(sorted(unknown))}. There is no formula, or the model lies on "
            "the hub: name a local folder in model.path."
        )
    rows, machine = add_up(priced), machine_memory()
    notes += [
        f"{line.rule}: a job holds {size(line.memory)}, more than this machine's {size(machine)}."
        for line in rows.lines
        if line.memory > machine > 0
    ]
    found = Forecast(rows, notes, free_bytes(plan.root), plan.root)
    if measured or (measured is None and found.heavy):
        return found._replace(estimate=add_up(priced, rates_of(plan), cores))
    return found


def rates_of(plan: Plan) -> Rates:
    """Rates of this machine, measured where it has not been done."""
    model = plan.study.model
    return rates(Path(MEMORY), Path("results"), largest_input(plan), model.dtype, model.device)
