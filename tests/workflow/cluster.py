"""A SLURM of one node on loopback, in a folder of its own, without systemd and accounting."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
PATH = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
"""Debian keeps the daemons where users do not look."""
CONFIG = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SrunPortRange={ports[2]}-{ports[11]}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0
EnforcePartLimits=ALL
MinJobAge=3600
KillWait=2
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=200000 Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=7-0 State=UP
PartitionName=gpu Nodes={host} MaxTime=2-0 State=UP
"""


def missing() -> str:
    """The programs that this machine lacks, in words; empty where it has all."""
    found = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    return f"needs {', '.join(found)} (apt-get install slurm-wlm munge)" if found else ""


def free_ports(n: int) -> list[int]:
    """Neighbouring ports of loopback that nothing listens on."""
    for first in range(21000 + os.getpid() % 1000 * 10, 60000, n):
        ports = list(range(first, first + n))
        try:
            for port in ports:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return ports
    raise RuntimeError("no free ports on loopback")


class Cluster:
    """A running SLURM: what its users see."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The job step of Snakemake's plugin takes SLURM_CONF out of the environment of srun.
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": os.pathsep.join((str(folder / "bin"), PATH)),
        }

    def __call__(self, *command: str, check: bool = True) -> str:
        """The output of a command of SLURM's."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert not check or done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.strip()

    def jobs(self, states: str = "all") -> dict[str, str]:
        """The rule or group of each job that is in these states, by its number."""
        lines = self("squeue", "-h", "-t", states, "-o", "%i %k", "--sort=i").splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def facts(self, job: str) -> dict[str, str]:
        """The facts of a job that SLURM knows: NumCPUs, MinMemoryNode, TimeLimit, JobState, ..."""
        words = self("scontrol", "show", "job", "-o", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def running(self, name: str, seconds: float = 300) -> str:
        """The number of a job of this rule or group, as soon as one runs."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [job for job, what in self.jobs("RUNNING").items() if name in what]
            if found:
                return found[0]
            time.sleep(0.5)
        raise AssertionError(f"no job of {name} ran within {seconds} s: {self.jobs()}")

    def empty(self, seconds: float = 300) -> None:
        """Wait until nothing waits or runs."""
        end = time.monotonic() + seconds
        while self.jobs("PENDING,RUNNING,COMPLETING"):
            assert time.monotonic() < end, self.jobs("PENDING,RUNNING,COMPLETING")
            time.sleep(0.5)


def _write(folder: Path) -> None:
    """Key, settings and devices of a cluster."""
    (folder / "bin").mkdir()
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    facts = {"host": socket.gethostname().split(".")[0], "user": getpass.getuser()}
    text = CONFIG.format(folder=folder, ports=free_ports(12), **facts)
    (folder / "slurm.conf").write_text(text)
    # A GPU without a file is refused; what the file is does not matter.
    for n in range(2):
        (folder / f"gpu{n}").touch()
    (folder / "gres.conf").write_text(f"Name=gpu Count=2 File={folder}/gpu[0-1]\n")
    srun = folder / "bin/srun"
    path = shutil.which("srun", path=PATH)
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {path} "$@"\n')
    srun.chmod(0o755)


@contextmanager
def slurm(folder: Path) -> Iterator[Cluster]:
    """A SLURM with 4 CPUs, 200 GB and 2 GPUs, all of them pretended; gone on leaving."""
    folder.mkdir()
    _write(folder)
    cluster = Cluster(folder)
    munge = ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key"]
    munge += [f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid"]
    munge += [f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed"]
    daemons = []
    try:
        for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D"]):
            log = (folder / f"{command[0]}.out").open("w")
            daemons.append(
                subprocess.Popen(
                    command, env=cluster.environment, stdout=log, stderr=log, cwd=folder
                )
            )
            log.close()
        end = time.monotonic() + 60
        while cluster("sinfo", "-h", "-p", "cpu", "-o", "%T", check=False) != "idle":
            logs = {p.name: p.read_text()[-1000:] for p in folder.glob("*.out")}
            assert time.monotonic() < end, logs
            time.sleep(0.2)
        yield cluster
    finally:
        cluster("scancel", "--user", getpass.getuser(), check=False)
        cluster("scancel", "--user", getpass.getuser(), "--signal=KILL", "--full", check=False)
        end = time.monotonic() + 20
        while cluster("squeue", "-h", "-t", "R,CG,PD", check=False) and time.monotonic() < end:
            time.sleep(0.2)
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
