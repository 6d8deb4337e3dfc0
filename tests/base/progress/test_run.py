"""The time that is left, known by hand, and the lines that say how far a run is."""

import pytest

from saegrid.base.progress.run import Failure, Left, Run, Task, facts
from saegrid.base.progress.saying import end, failure, forecast, line, stage
from saegrid.base.progress.words import fit, joined, rough, span


def run(**fields):
    return Run(study="toy", began=1000.0, **fields)


def task(name, began, **fields):
    return Task(name, "headlines L1R-8x", f"logs/toy/{name}.log", began=began, **fields)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (97200, "1 d 3 h"),
    ],
)
def test_a_span_has_two_units(seconds, words):
    assert span(seconds) == words


def test_a_forecast_is_rounded():
    assert [rough(s) for s in (5, 100, 7190, 7600)] == ["1 min", "2 min", "2 h", "2 h 10 min"]


def test_the_time_left_is_work_by_cores():
    """4 jobs of 10 s and 2 of 30 s on 2 cores: (40 + 60) / 2."""
    one = run(capacity=2, totals={"a": 4, "b": 2}, earlier={"a": 10.0, "b": 30.0})
    assert one.left(1000.0) == Left(50.0)


def test_a_running_job_counts_for_what_it_still_takes():
    """One of two has run 6 of its 10 s, and takes both cores: 4 x 2 + 10 x 2, by 2."""
    one = run(capacity=2, totals={"a": 2}, weights={"a": 4}, earlier={"a": 10.0})
    one.start(1, task("a", 1000.0))
    assert one.left(1006.0).seconds == pytest.approx(14.0)


def test_a_job_that_takes_longer_than_usual_counts_for_nothing_more():
    one = run(totals={"a": 1}, earlier={"a": 10.0})
    one.start(1, task("a", 1000.0))
    assert one.left(1050.0).seconds == 0.0


def test_what_runs_alone_is_not_divided_by_cores():
    one = run(capacity=8, totals={"a": 4}, earlier={"a": 10.0}, single=frozenset({"a"}))
    assert one.left(1000.0).seconds == 40.0


def test_the_last_job_takes_its_time_on_any_number_of_cores():
    one = run(capacity=8, totals={"a": 1}, earlier={"a": 10.0})
    one.start(1, task("a", 1000.0))
    assert one.left(1002.0).seconds == 8.0


def test_times_of_this_run_count_from_the_third_job():
    one = run(totals={"a": 5}, earlier={"a": 100.0})
    for number, seconds in enumerate((1.0, 2.0, 9.0)):
        assert one.usual("a") == 100.0
        one.start(number, task("a", 1000.0))
        one.finish(number, 1000.0 + seconds)
    assert one.usual("a") == 2.0  # the median
    assert one.left(1010.0).seconds == 4.0


def test_without_earlier_jobs_the_first_one_counts():
    one = run(totals={"a": 3})
    assert one.usual("a") is None
    one.start(1, task("a", 1000.0))
    one.finish(1, 1007.0)
    assert one.usual("a") == 7.0


def test_stages_of_unknown_time_are_counted():
    """2 jobs of 100 s are known; of 30 others nothing is, and so they say less than the number."""
    one = run(totals={"a": 2, "b": 30, "c": 1})
    assert one.left(1000.0) == Left(0.0, 3, False, 0.0)
    one.earlier["a"] = 100.0
    assert one.left(1000.0) == Left(200.0, 2, False, pytest.approx(2 / 33))
    assert forecast(one.left(1000.0)) == "2 stages of unknown time left"
    one.earlier["b"] = 4.0
    assert one.left(1000.0) == Left(320.0, 1, False, pytest.approx(32 / 33))
    assert forecast(one.left(1000.0)) == "at least 5 min + 1 stage left"
    one.earlier["c"] = 1.0
    assert one.left(1000.0) == Left(321.0) and forecast(one.left(1000.0)) == "about 5 min left"
    assert run(totals={}).left(1000.0) is None


def test_jobs_that_wait_last_as_long_as_the_first_one_has_by_now():
    """Four jobs that wait behind one that has run 50 s on one core take 200 s at least."""
    one = run(totals={"a": 5})
    one.start(1, task("a", 1000.0))
    assert one.left(1050.0) == Left(200.0, 1, False, 0.0)
    one.finish(1, 1060.0)
    assert one.left(1060.0) == Left(240.0)


SCHEDULE = {"read": (1, 2.0), "train": (6, 30.0), "encode": (6, 12.0), "page": (6, 1.0)}
"""Jobs and seconds of the stages of a run, one behind the other."""


@pytest.mark.parametrize("capacity", [1, 2, 3])
def test_the_forecast_of_a_schedule_is_what_it_takes(capacity):
    """The forecast of jobs that take their usual time is exact at the beginning of each round,
    whatever earlier runs or this one's first jobs have shown."""
    totals = {name: n for name, (n, _) in SCHEDULE.items()}
    times = {name: seconds for name, (_, seconds) in SCHEDULE.items()}
    again = run(capacity=capacity, totals=totals, earlier=times)
    first = run(capacity=capacity, totals=totals)
    end = 1000.0 + 2.0 + (6 // capacity) * (30.0 + 12.0 + 1.0)
    now, number, said = 1000.0, 0, []
    for name, (n, seconds) in SCHEDULE.items():
        for _ in range(0, n, capacity):
            # The one job of `read` runs alone: the forecast counts its core as all of them.
            slack = 2.0 * (1 - 1 / capacity) if name == "read" else 0.0
            assert again.left(now).seconds == pytest.approx(end - now - slack)
            said.append((first.left(now).seconds, first.left(now).unknown, end - now))
            here = range(number, number + min(n, capacity))
            for one in (again, first):
                for k in here:
                    one.start(k, task(name, now))
                for k in here:
                    one.finish(k, now + seconds)
            number, now = here.stop, now + seconds
    assert now == end and again.left(now) is None
    assert all(known <= left + 1e-9 for known, _, left in said)
    unknown = [n for _, n, _ in said]
    assert unknown == sorted(unknown, reverse=True) and unknown[0] == 4 and unknown[-1] <= 1


def test_a_failed_job_is_not_left_and_what_waits_for_it_may_not_run():
    one = run(totals={"a": 1, "b": 1}, earlier={"a": 100.0, "b": 100.0})
    one.start(1, task("a", 1000.0))
    one.fail(1, Failure(task("a", 1000.0), "why"))
    assert one.left(1000.0) == Left(100.0, 0, True)
    assert forecast(one.left(1000.0)) == "at most 2 min left"
    one.start(1, task("a", 1100.0))  # tried again
    assert not one.failed


def test_a_forecast_of_little_is_said_as_such():
    assert forecast(None) == "time left unknown"
    assert forecast(Left(20.0)) == "under a minute left"
    assert forecast(Left(20.0, 3, share=0.5)) == "at least 20 s + 3 stages left"
    assert forecast(Left(0.0, 1, share=0.9)) == "at least 1 s + 1 stage left"
    assert forecast(Left(20.0, 3, share=0.4)) == "3 stages of unknown time left"
    assert forecast(Left(6000.0, 2, True)) == "time left unknown"


def test_the_forecast_of_a_record_may_be_of_another_version():
    left = Left(20.0, 3, False, 0.5)
    assert Left.read({**left._asdict(), "least": True}) == left
    assert Left.read({"seconds": 5.0, "least": False, "most": True}) == Left(5.0, 0, True)


def crowded():
    one = run(totals={f"some_stage_{n}": 150 for n in range(12)}, earlier={"some_stage_0": 9.0})
    for n in range(12):
        one.start(n, task(f"some_stage_{n}", 1000.0))
    one.fail(3, Failure(task("some_stage_3", 1000.0), "why"))
    return one


@pytest.mark.parametrize("width", [20, 40, 79, 100])
def test_the_line_holds_its_width(width):
    assert len(line(crowded(), 1000.0, width)) <= width


def test_the_line_says_stage_cells_and_failures():
    text = line(crowded(), 1000.0, 80)
    assert text.startswith("0/1800 jobs, 0 %, 1 failed | some_stage_0 0/150, ..")
    assert text.endswith("| time left unknown")


def test_percent_is_100_at_the_end_alone():
    one = run(totals={"a": 1000})
    one.done["a"] = 999
    assert line(one, 1000.0).startswith("999/1000 jobs, 99 %")
    one.done["a"] = 1000
    assert line(one, 1000.0) == "1000/1000 jobs, 100 %"


def test_a_stage_and_a_failure_in_words():
    one = run(totals={"a": 3, "b": 1})
    for number, seconds in enumerate((1.0, 2.0, 9.0)):
        one.start(number, task("a", 1000.0))
        one.finish(number, 1000.0 + seconds)
    assert stage(one, "a", 1010.0)[8:].split() == ["a", "3", "jobs,", "2", "s", "each"]
    lines = failure(Failure(task("b", 1000.0), "No rows.\nAdd some."), 1010.0)
    assert lines[0].endswith("  FAILED b headlines L1R-8x: No rows.")
    assert lines[1:] == ["    Add some.", "    log: logs/toy/b.log"]


def test_the_end_counts_what_did_not_run():
    one = run(totals={"a": 2, "b": 3})
    for number in (1, 2):
        one.start(number, task("a", 1000.0))
        one.fail(number, Failure(task("a", 1000.0), "why"))
    first, *logs, last = end(one, 1060.0, success=False)
    assert first == "Stopped after 1 min: 0 of 5 jobs are done, 2 failed, 3 did not run."
    assert logs == ["  a headlines L1R-8x: logs/toy/a.log"] * 2
    assert last.endswith("give the same command again. What is done stays.")
    one.failed.clear()
    assert end(one, 1060.0, success=True) == ["Done: 0 jobs of 2 stages in 1 min."]


def test_facts_count_what_was_done_before_the_run():
    one = run(totals={"b": 1}, whole={"a": 4, "b": 2})
    assert facts(one, 1000.0)["stages"] == {"a": [4, 4], "b": [1, 2]}
    one.start(1, task("b", 1000.0))
    one.finish(1, 1001.0)
    assert facts(one, 1001.0)["stages"] == {"a": [4, 4], "b": [2, 2]}


def test_texts_are_cut_and_say_so():
    assert fit("abcdef", 6) == "abcdef"
    assert fit("abcdefg", 6) == "abcd.."
    assert joined(["aa", "bb", "cc"], 10) == "aa, bb, cc"
    assert joined(["aa", "bb", "cc"], 9) == "aa, .."
