"""sae-probes' own protocol on codes of a cell: run by the Python of an environment that has it.

Its functions as they are: units in the order of the difference of the means of both classes, codes
dense in float32 (`get_sorted_indices` with `mean_act_normalization`), then `find_best_reg` for each
k (ten strengths on one validation part, L1 or L2). What its package imports beside, to run models
and other classifiers (sae-lens, transformer-lens, xgboost), takes no part in this, and empty
modules stand in where they are not installed.

    python sae_probes_side.py codes.npz 1,2,5 out.json
"""

import importlib.abc
import importlib.machinery
import json
import resource
import sys
import time
import types
from typing import Any

import numpy as np

ABSENT = ("sae_lens", "transformer_lens", "xgboost")


class _Anything(types.ModuleType):
    """A module in which every name is a class."""

    __path__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives such a module for each package that is not installed."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name.partition(".")[0] in ABSENT:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        return _Anything(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def main() -> None:
    """Time the protocol, and write seconds, memory and scores."""
    sys.meta_path.append(_Finder())
    from scipy import sparse

    source, ks, target = sys.argv[1:4]
    import torch
    from sae_probes.run_sae_evals import get_sorted_indices, mean_act_normalization
    from sae_probes.utils_training import find_best_reg

    torch.set_num_threads(1)
    with np.load(source) as held:
        parts = (held["data"], held["indices"], held["indptr"])
        z = sparse.csc_matrix(parts, shape=tuple(held["shape"])).tocsr().astype(np.float32)
        y, train = held["y"], held["train"]
    results, seconds = [], []
    for penalty in ("l1", "l2"):
        started = time.process_time()
        x_train = torch.from_numpy(z[train].toarray())
        x_test = torch.from_numpy(z[~train].toarray())
        order = get_sorted_indices(x_train, torch.from_numpy(y[train]), mean_act_normalization)
        for k in map(int, ks.split(",")):
            chosen = order[:k]
            found = find_best_reg(
                x_train[:, chosen], y[train], x_test[:, chosen], y[~train], penalty=penalty
            )
            results.append({"penalty": penalty, "k": k, "auc": found.metrics.test_auc})
        seconds.append({"penalty": penalty, "seconds": time.process_time() - started})
        del x_train, x_test
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with open(target, "w") as file:  # noqa: PTH123
        json.dump({"seconds": seconds, "memory": memory, "results": results}, file)


if __name__ == "__main__":
    main()
