"""
The study of this run, and the parts of a rule that follow from its stage.
IN   config, merged and unchecked
OUT  PLAN (the study), bind (a rule from its stage)
"""

import os
import sys
import time
from base64 import urlsafe_b64encode
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

from saegrid.base import io, leftovers
from saegrid.base.provenance import provenance, renew_licences
from saegrid.base.words import SITE_PATTERN
from saegrid.config.messages import Mistake, sentences
from saegrid.config.yaml import mistakes as yaml_mistakes
from saegrid.stages.mistakes import all_mistakes
from saegrid.pages import site
from saegrid.base.progress.run import Run
from saegrid.stages import aside, settled, targets
from saegrid.stages import names as naming
from saegrid.stages.estimate import estimate
from saegrid.stages.forecast import forecast, opening, page
from saegrid.stages.graph import Job, check, needs, template
from saegrid.stages.plan import Plan
from saegrid.stages.stage import NOTHING, At
from saegrid.text.shards import SHARD_PATTERN
from snakemake.cli import parse_args
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.enums import PersistenceBackend

# Threads that wait give up their core: on a busy machine a job is otherwise slowed down many times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
BEGAN = time.time()
SCRIPTS = Path(str(workflow.current_basedir)).parent / "scripts"
DAMAGED = {}
"""Results that cannot be read, with the reason."""


def command():
    """The arguments of the command; none where Snakemake runs within another program."""
    if Path(sys.argv[0]).stem not in ("snakemake", "__main__"):
        return SimpleNamespace(targets=(), dryrun=True)
    with redirect_stderr(StringIO()):  # it tells of profiles a second time
        return parse_args(sys.argv[1:])[1]


ONLY_LOOKS = (
    *("dryrun", "touch", "unlock", "lint", "report", "summary", "detailed_summary"),
    *("list_rules", "list_target_rules", "dag", "rulegraph", "filegraph", "d3dag"),
    *("list_changes", "list_params_changes", "list_input_changes", "list_untracked"),
    *("delete_all_output", "delete_temp_output", "archive", "cleanup_metadata"),
    *("list_conda_envs", "conda_create_envs_only", "containerize", "print_compilation"),
)
"""Options of commands that run nothing."""


def is_asked(asked, *options):
    """Return True if a command has one of these options."""
    return any(getattr(asked, option, None) for option in options)


def refuse(mistakes):
    """Stop with all mistakes at once, a sentence each: an exception would come with a traceback."""
    if mistakes:
        print(sentences(mistakes), file=sys.stderr, flush=True)
        sys.exit(1)


def make_again(damaged, asked):
    """Have results that cannot be read be made again: Snakemake would take them as they are. A
    command that runs nothing plans them by another spec and leaves the files alone."""
    for path, reason in damaged.items():
        print(f"{path}: {reason}. It is made again.", file=sys.stderr, flush=True)
        if not is_asked(asked, *ONLY_LOOKS):
            Path(path).unlink(missing_ok=True)


def on_record(path):
    """Return True if Snakemake has a record of a file, as far as its records are files."""
    records = Path(".snakemake/metadata")
    # A long name stands in several folders: such a file is taken to be on record.
    name = urlsafe_b64encode(path.encode()).decode()
    backend = workflow.workflow_settings.persistence_backend
    return (
        len(name) > 250
        or backend != PersistenceBackend.FILE
        or (records / name).exists()
    )


def checked(config):
    """The plan of a study. All mistakes that concern what is asked for are told at once, before the
    first job; then every reference, input and spec of it is made once: Snakemake drops a job in
    silence where one of its functions raises and its files exist."""
    files = [one for path in workflow.configfiles for one in yaml_mistakes(path)]
    refuse([Mistake("config", text) for text in files])
    study, mistakes = all_mistakes(config)
    if any(mistake.part == "config" for mistake in mistakes):
        refuse(mistakes)
    try:
        plan = Plan(study, SCRIPTS)
        if (
            workflow.is_main_process
        ):  # a job on another machine was checked by its coordinator
            asked = command()
            try:
                ends = targets.ends(plan.graph, sorted(asked.targets) or ["all"])
            except ValueError:
                refuse(mistakes)  # one of which it may come from
                raise
            parts = targets.parts(plan.graph.jobs(ends, []))
            refuse([mistake for mistake in mistakes if mistake.part in parts])
            refuse([Mistake("config", text) for text in check(plan.graph, ends)])
            jobs = plan.graph.jobs(ends)
            DAMAGED.update(settled.damaged(plan.graph, jobs))
            # Snakemake compares settings only with its own records, and starts nothing where it
            # has none.
            runs = asked.dryrun or not is_asked(asked, *ONLY_LOOKS)
            if runs and not is_asked(asked, "forceall"):
                settled.check_alike(plan.graph, jobs, on_record)
            make_again(DAMAGED, asked)
    except (ValueError, OSError) as mistake:
        refuse([Mistake("config", str(mistake))])
    os.environ.update(plan.environment())
    return plan


PLAN = checked(config)
if workflow.is_main_process:
    # The study and its page, for the terminal: there may be nothing to do, and then no hook runs.
    logger.info("", extra={"saegrid_run": Run(PLAN.study.study, page(PLAN))})
    if not is_asked(command(), *ONLY_LOOKS):
        path = f"{PLAN.root}/config.json"
        renewed = renew_licences(path, PLAN.study.model_dump(mode="json"))
        if renewed:  # before "Nothing to be done", which is of jobs
            logger.info(
                f"{path} has the new {', '.join(renewed)}: the front page and `saegrid tables` "
                "read licences, and nothing else."
            )
ARCHIVED = str(getattr(command(), "report", None) or "").endswith(".zip")
"""True if the command asks for a report in an archive, which can hold folders."""


def lay_out():
    """The folder of pages and figures as a result of a report; none where there is no page yet."""
    folder = Path(".snakemake/saegrid") / PLAN.study.study
    first = site.lay_out(Path(PLAN.root), folder)
    # Snakemake finds a caption itself for what stands in a rule, not for what a function gives.
    caption = workflow.current_basedir.join("../report/site.rst")
    shown = {"caption": caption, "category": "Study", "htmlindex": first}
    shown["labels"] = {"page": "All cells, with links to every page"}
    return [report(str(folder), **shown)] if first else []


SITE = lay_out() if ARCHIVED else []


wildcard_constraints:
    study=PLAN.study.study,
    corpus="|".join(PLAN.study.corpora),
    capture="[0-9a-f]{12}",
    shard=SHARD_PATTERN,
    cell=PLAN.saes.pattern(),
    site=SITE_PATTERN,
    together="[A-Za-z0-9_]+",


class Bound:
    """The parts of a rule."""

    def __init__(self, stage):
        self.stage, self.name, self.priority = stage, stage.name, stage.needs.priority
        self.log, self.benchmark = stage.log(), stage.log(".tsv")
        self.input = {name: self._input(name) for name in stage.reads}
        self.output = {name: self._output(name) for name in stage.writes}
        self.only, self.is_bound = self._only()
        threads = stage.needs.threads
        self.threads = threads if isinstance(threads, int) else self._need("threads")
        self.resources = {
            "mem_mb": self._growing("memory"),
            "runtime": lambda wildcards, attempt: attempt * stage.needs.minutes,
        }
        if stage.needs.gpu:
            self.resources["gpu"] = self._need("gpu")
        if stage.needs.hub:
            self.resources["hub"] = self._need("hub")
        if stage.needs.filling:
            self.resources["filling_memory"] = self._growing("filling_memory")
            self.resources["filling_threads"] = self._need("filling_threads")

    def _only(self):
        """Patterns of wildcards, and whether any job can match them. A mistake that prevents all
        jobs of a stage was told where one of them is asked for: here they are left out.
        """
        try:
            only = {key: pattern(PLAN) for key, pattern in self.stage.only.items()}
        except ValueError:
            return {}, False
        return only, NOTHING not in only.values()

    def spec(self, wildcards):
        """The spec of a job; of one whose results are damaged it is another than on record."""
        at = PLAN.graph.place(self.name, At.of(wildcards))
        outputs = PLAN.graph.outputs(self.stage, at) if DAMAGED else ()
        again = " again" * any(
            path in DAMAGED and Path(path).exists() for path in outputs
        )
        return PLAN.specs.spec(self.name, at) + again

    def _input(self, name):
        """The path with wildcards where that says all, since Snakemake takes long over functions;
        else an input function: the file or files, `ancient` where their dates count for nothing.
        """
        fixed = template(PLAN.graph, self.stage, name)
        if fixed:
            return fixed

        def files(wildcards):
            at = PLAN.graph.place(self.name, At.of(wildcards))
            paths = PLAN.graph.inputs(self.stage, name, at)
            old = name in settled.ancient_inputs(PLAN.graph, self.stage, at)
            return ancient(paths) if old and paths else paths

        return files

    def _output(self, name):
        """The path, or one for each value of the wildcards that a job fills itself."""
        write = self.stage.write(name)
        path = write.path
        for wildcard, values in write.each.items():
            path = expand(path, **{wildcard: list(values(PLAN))}, allow_missing=True)
        # In an archive pages stand together, in the folder that `SITE` is.
        if write.report and not (ARCHIVED and write.path.endswith(".html")):
            caption, category = write.report
            return report(path, caption=f"../report/{caption}.rst", category=category)
        return path if write.each else ensure(path, non_empty=True)

    def _need(self, name):
        """Function of a job: what it asks for."""
        return lambda wildcards: self._needs(wildcards)[name]

    def _growing(self, name):
        """Resource function: as much again at every attempt after a failure."""
        return lambda wildcards, attempt: attempt * self._needs(wildcards)[name]

    def _needs(self, wildcards):
        at = PLAN.graph.place(self.name, At.of(wildcards))
        return needs(PLAN.graph, self.stage, at)


def bind(stage):
    """The rule of a stage; none where no job of this study can be one of its."""
    one = Bound(stage)
    if not one.is_bound:
        return

    rule:
        name:
            one.name
        input:
            **one.input,
        output:
            **one.output,
        log:
            one.log,
        benchmark:
            one.benchmark
        wildcard_constraints:
            **one.only,
        priority: one.priority
        conda:
            "../../envs/core.yaml"
        threads: one.threads
        resources:
            **one.resources,
        params:
            spec=one.spec,
        script:
            f"../scripts/{one.name}.py"


def files_of(target):
    """Input function of a target. A report takes the site once: with the first target asked for."""
    also = SITE if target == [*command().targets, "all"][0] else []
    return lambda wildcards: [*targets.files(PLAN.graph, target), *also]


async def put_on_record():
    """Finished files that Snakemake has no record of, for it was killed while SLURM went on, or they
    were copied here: from now on it has. Without, it would not see that a setting has changed.
    """
    records, dag = workflow.persistence, workflow.dag
    finished = [job for job in dag.jobs if job.params and not dag.needrun(job)]
    loose = [job for job in finished if not records.has_metadata(job)]
    try:
        alike = settled.made_alike(
            {job: (job.output, job.params.spec) for job in loose}
        )
    except ValueError as mistake:
        raise WorkflowError(str(mistake)) from None
    for job in alike:
        await records.finished(job)


def wake_rarely():
    """Lift Snakemake's own limit of 100 jobs a second, unless the command sets another: its timers
    wake the scheduler once a second for every finished job, which costs more than the jobs.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def write_provenance():
    """Write the resolved config with versions and commit; no rule reads it."""
    io.write_json(
        f"{PLAN.root}/config.json", provenance(PLAN.study.model_dump(mode="json"))
    )


def starting():
    """The jobs that this run will start; targets make nothing."""
    for job in workflow.dag.needrun_jobs():
        if job.output:
            name = job.rule.name
            at = PLAN.graph.place(name, At.of(job.wildcards))
            yield Job(PLAN.graph.stages[name], at)


def announce():
    """Say what the run comes to before it starts: one line, or a table where it is heavy or asked
    for. Refuse a run for which the disk does not suffice."""
    jobs, asked = list(starting()), {rule.name for rule in workflow.dag.targetrules}
    is_local, gpu = workflow.local_exec, workflow.global_resources.get("gpu")
    capacity = workflow.cores if is_local else workflow.nodes
    try:
        every = [job.rule.name for job in workflow.dag.jobs if job.output]
        run = forecast(
            PLAN, jobs, every, capacity or 1, is_local, gpu.value if gpu else 0
        )
        logger.info("", extra={"saegrid_run": run})
        if "estimate" in asked and not jobs:
            every = PLAN.graph.jobs(targets.ends(PLAN.graph, ["all"]))
            jobs = settled.to_do(PLAN.graph, every)
        run = estimate(PLAN, jobs, workflow.resource_settings.cores or 1)
        if run is None:
            return
        table = "estimate" in asked or run.is_heavy()
        print(run.text() if table else run.summary(), file=sys.stderr, flush=True)
        for line in naming.lines(PLAN, [j.at for j in jobs if j.stage.name == "names"]):
            print(line, file=sys.stderr, flush=True)
        if "estimate" not in asked:
            run.check()
    except ValueError as problem:
        raise WorkflowError(str(problem)) from None


def finish(success):
    """Say at the end of a run what came of it, and which pages there are to open."""
    texts = [*aside.lines(PLAN)] if success else []
    if success and page(PLAN):
        texts.append(opening(PLAN, BEGAN))
    logger.info("\n".join(texts), extra={"saegrid_end": success})
