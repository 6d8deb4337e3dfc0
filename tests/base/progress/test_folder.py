"""The commands of a folder: which processes coordinate a run, and what unlocks it."""

import pytest

from saegrid.base.progress.folder import config_files, coordinators, is_run, unlocking


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        ("/v/bin/python /v/bin/snakemake --cores 2", True),
        ("python3.11 -m snakemake --cores 2 --configfile new.yaml", True),
        ("snakemake", True),
        ("python -u /v/bin/snakemake -c1 --show-failed-logs", True),
        ("snakemake -np", False),
        ("snakemake --cores 1 --dry-run", False),
        ("python -m snakemake --unlock", False),
        ("python -m snakemake --target-jobs a: --mode subprocess", False),
        ("bash -c snakemake", False),
        ("python", False),
        ("python other.py snakemake", False),
        ("less snakemake", False),
        ("", False),
    ],
)
def test_commands_that_coordinate_a_run(command, is_one):
    assert is_run(command.split(" ")) is is_one


def test_coordinators_of_a_folder(tmp_path):
    """Two run in the folder, one a fork of the other; a third is elsewhere, a fourth no run."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    processes = [
        (30, "snakemake --cores 1", here, 1),
        (31, "snakemake --cores 1", here, 30),
        (32, "snakemake --cores 1", there, 1),
        (33, "less notes", here, 1),
        (4, "python -m snakemake", here, 2),
    ]
    for pid, command, folder, parent in processes:
        path = tmp_path / "proc" / str(pid)
        path.mkdir(parents=True)
        (path / "cmdline").write_text(command.replace(" ", "\0") + "\0")
        (path / "stat").write_text(f"{pid} (a (b) c) S {parent} 5 6")
        (path / "cwd").symlink_to(folder)
    (tmp_path / "proc/40").mkdir()  # it has ended meanwhile
    assert coordinators(here, tmp_path / "proc") == [4, 30]
    assert coordinators(there, tmp_path / "proc") == [32]
    assert coordinators(here, tmp_path / "no") == []


def test_the_configs_of_a_command():
    words = ["--configfile", "a.yaml", "b.yaml", "--config", "k=v", "--configfile=c.yaml", "-n"]
    assert config_files(words) == ["a.yaml", "b.yaml", "c.yaml"]


def test_the_command_that_unlocks():
    assert unlocking([]) == "snakemake --unlock"
    assert unlocking(["a.yaml", "b c.yaml"]) == "snakemake --unlock --configfile a.yaml 'b c.yaml'"
