"""The order of jobs on one core: the page of a cell before the next cell, whatever ties decide."""

import random
from itertools import chain

import pytest

from asking import config, plan_of
from saegrid.stages import targets

OF_A_PAGE = ("encode", "density", "top_tokens", "concepts", "logit_effects", "page")
"""Stages of a cell from its codes to its page."""


@pytest.fixture(scope="module")
def world():
    """The jobs of the embedded study by number, and the numbers of those that each waits for."""
    settings = config("config")
    settings["analyses"] = {"tests": settings["analyses"]["tests"]}
    graph = plan_of(settings).graph
    jobs = graph.jobs(targets.ends(graph, ["all"]))
    maker = {path: k for k, job in enumerate(jobs) for path in graph.outputs(*job)}

    def inputs(job):
        several = (graph.inputs(job.stage, name, job.at) for name in job.stage.reads)
        return chain.from_iterable([one] if isinstance(one, str) else one for one in several)

    return jobs, [{maker[path] for path in inputs(job) if path in maker} for job in jobs]


def order(jobs, needs, seed, priority):
    """The jobs as one core runs them: of those that can run one with the highest priority."""
    ties = random.Random(seed)
    left, done, said = set(range(len(jobs))), set(), []
    while left:
        ready = sorted(k for k in left if needs[k] <= done)
        ties.shuffle(ready)
        first = max(ready, key=lambda k: priority(jobs[k].stage))
        left.remove(first)
        done.add(first)
        said.append(jobs[first])
    return said


@pytest.mark.parametrize("seed", range(3))
def test_a_page_is_made_before_the_next_cell_is_encoded(world, seed):
    said = order(*world, seed, lambda stage: stage.needs.priority)
    encoded = [k for k, job in enumerate(said) if job.stage.name == "encode"]
    assert len(encoded) == 21
    for k in encoded:
        following = said[k : k + len(OF_A_PAGE)]
        assert {job.at.cell for job in following} == {said[k].at.cell}
        assert sorted(job.stage.name for job in following) == sorted(OF_A_PAGE)
    names = [job.stage.name for job in said]
    assert names[: names.index("page")].count("train_sae") == 1
    assert "page" not in names[names.index("index") :], "the index stands behind all pages"


def test_without_priorities_the_first_page_comes_late(world):
    """Otherwise the test above could not fail."""
    jobs, needs = world

    def pages(priority):
        said = order(jobs, needs, 0, priority)
        names = [job.stage.name for job in said]
        return names[: names.index("page")].count("encode")

    assert pages(lambda stage: 0) > 1 == pages(lambda stage: stage.needs.priority)


def test_a_page_comes_before_all_that_it_waits_for(world):
    jobs, needs = world
    for job, several in zip(jobs, needs, strict=True):
        if job.stage.name == "page":
            assert all(jobs[k].stage.needs.priority < job.stage.needs.priority for k in several)
