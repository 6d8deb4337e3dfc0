"""CPU seconds of this process, written down when it ends: Python imports this file by itself where
its folder is on PYTHONPATH. Only with OVERHEAD_FOLDER set; `overhead.py` does so.

Written are the seconds up to here, those of each import, and those at the end, with the log of the
job where it is one. An import within another counts to the outer one.
"""

import builtins
import os
import time

BEGAN = time.process_time()


def keep_clock(folder: str) -> None:
    """Count the CPU seconds of all imports of the main thread, and write them at the end."""
    import atexit
    import importlib
    import sys
    from _thread import get_ident

    main, running, imports = get_ident(), [False], []

    def timed(function):
        def call(name, *arguments, **more):
            if running[0] or get_ident() != main:
                return function(name, *arguments, **more)
            running[0], before = True, time.thread_time()
            try:
                return function(name, *arguments, **more)
            finally:
                running[0], spent = False, time.thread_time() - before
                if spent > 1e-4:
                    imports.append((time.process_time() - spent, spent, name))

        return call

    builtins.__import__ = timed(builtins.__import__)
    importlib.import_module = timed(importlib.import_module)

    def write() -> None:
        import json
        import resource

        own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        job = getattr(sys.modules["__main__"], "snakemake", None)
        facts = {
            "log": str(job.log[0]) if hasattr(job, "log") else None,
            "name": os.path.basename(sys.argv[0]),  # noqa: PTH119  a clock imports little
            "began": BEGAN,
            "imports": imports,
            "ended": own.ru_utime + own.ru_stime,
            "children": children.ru_utime + children.ru_stime,
            "torch": "torch" in sys.modules,
        }
        with open(f"{folder}/{os.getpid()}.json", "w") as file:  # noqa: PTH123
            json.dump(facts, file)

    def end(status: int, process: int = os.getpid(), end=os._exit) -> None:
        if os.getpid() == process:
            write()
        end(status)

    # Registered first, called last.
    atexit.register(write)
    os._exit = end


if os.environ.get("OVERHEAD_FOLDER"):
    keep_clock(os.environ["OVERHEAD_FOLDER"])
