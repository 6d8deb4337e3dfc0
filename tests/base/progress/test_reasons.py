"""The reason of a failure, from the logs that jobs leave."""

import os

import pytest

from saegrid.base.progress.reasons import reason

TRACE = """start
Traceback (most recent call last):
  File "x.py", line 6, in <module>
    go()
{}
"""
DONE = "step 3\ndone: 1.02 s, 0.90 CPU s in the library, 3.10 CPU s in all\n"


def why(tmp_path, text, *others, **words):
    paths = [tmp_path / f"{n}.log" for n in range(1 + len(others))]
    for path, content in zip(paths, [text, *others], strict=True):
        if content is not None:
            path.write_text(content)
    return reason([str(path) for path in paths], **words).splitlines()


def test_a_mistake_of_the_user_is_its_sentence(tmp_path):
    text = "corpora.mine.column: no column 'txt'; known are text and id.\n"
    assert why(tmp_path, text) == [text.strip()]


def test_of_a_traceback_the_error_is_left(tmp_path):
    assert why(tmp_path, TRACE.format("ValueError: row 7: NaN")) == ["ValueError: row 7: NaN"]
    several = TRACE.format("pyarrow.lib.ArrowInvalid: no\nsaegrid.x.CorpusError: row 7:\nno text")
    assert why(tmp_path, several) == ["CorpusError: row 7: no text"]


def test_the_sentence_of_a_unusable_contrast_stands_without_its_class(tmp_path):
    text = TRACE.format("saegrid.evidence.contrast.Unusable: k1: two texts are too few.")
    assert why(tmp_path, text) == ["k1: two texts are too few."]


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("OSError: [Errno 28] No space left on device: 'x'", "disk is full"),
        ("MemoryError", "memory does not suffice"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", "GPU's memory"),
        ("requests.exceptions.ConnectionError: Max retries exceeded", "hub cannot be reached"),
        ("PermissionError: [Errno 13] Permission denied: 'x'", "owner and rights"),
    ],
)
def test_failures_of_the_machine_say_what_helps(tmp_path, error, word):
    said, help_ = why(tmp_path, TRACE.format(error))
    assert said.startswith(error.rpartition(".")[2][:9] if error[0] != "t" else "OutOfMemory")
    assert word in help_


def test_a_job_that_was_killed_says_so_with_its_last_word(tmp_path):
    said, help_ = why(tmp_path, "step 3 of 9\n", command="returned non-zero exit status 137.")
    assert said == "It was killed from outside. The log ends with: step 3 of 9"
    assert "--cores" in help_


def test_the_words_of_a_cluster_are_heard(tmp_path):
    message = "SLURM-job '7' failed, SLURM status is: 'OUT_OF_MEMORY'."
    said, words, help_ = why(tmp_path, "step 3\n", "slurmstepd: oom_kill event\n", message=message)
    assert said.startswith("It was killed")
    assert words == message
    assert "memory does not suffice" in help_


def test_a_log_of_an_earlier_job_says_nothing(tmp_path):
    (tmp_path / "0.log").write_text(DONE)
    os.utime(tmp_path / "0.log", (1000, 1000))
    logs = [str(tmp_path / "0.log")]
    assert reason(logs, since=2000.0) == "It ended without a word in its log."
    assert "says that it is done" in reason(logs, since=500.0)


def test_no_log_and_a_log_that_is_done(tmp_path):
    assert why(tmp_path, None) == ["It ended without a word in its log."]
    assert "file that it should have made" in why(tmp_path, DONE)[0]
