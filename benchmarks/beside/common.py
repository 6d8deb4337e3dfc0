"""The code that the sides share; it does not import saegrid, as it runs in the peers'
environments."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, Self


class Clock:
    """A clock of the wall and CPU seconds of a `with` block, and of its parts.

    The seconds of a part that comes again add up.
    """

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}

    def __enter__(self) -> Self:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        self.last = self.wall
        return self

    def mark(self, part: str) -> None:
        """End a part here."""
        now = time.perf_counter()
        self.parts[part] = self.parts.get(part, 0.0) + now - self.last
        self.last = now

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.wall
        self.cpu_seconds = time.process_time() - self.cpu

    def as_json(self) -> dict[str, Any]:
        """The seconds, cpu and parts as JSON values."""
        return {"seconds": self.seconds, "cpu": self.cpu_seconds, "parts": self.parts}


def main(jobs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
    """Run the job of the only argument, and print its result as the last line."""
    import torch

    case = json.loads(sys.argv[1])
    torch.set_num_threads(case["threads"])
    load = os.getloadavg()[0]
    result = jobs[case["job"]](case)
    result |= {"peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}
    print(json.dumps(result | {"load": load}), flush=True)
