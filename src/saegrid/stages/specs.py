"""Specs: canonical JSON of all that decides the result of a job."""

from pathlib import Path
from typing import TYPE_CHECKING

from saegrid.base.digest import digest
from saegrid.base.fingerprint import fingerprint
from saegrid.base.io import canonical
from saegrid.stages.stage import At, Stage, Upstream

if TYPE_CHECKING:
    from saegrid.stages.graph import Graph


class Specs:
    """The specs of the jobs of a study, each made once."""

    def __init__(self, graph: "Graph", scripts: Path) -> None:
        self._graph, self._plan, self._scripts = graph, graph.plan, scripts
        self._specs: dict[tuple[str, At], str] = {}
        self._digests: dict[tuple[str, At], str] = {}
        self._codes: dict[tuple[str, ...], str] = {}

    def spec(self, name: str, at: At) -> str:
        """The spec of a job: canonical JSON of its code, its settings, and the digests of the specs
        of what it reads.

        What is read is taken as of the job's own shard: results do not depend on how a corpus is
        cut, so that what follows on all shards has the spec of the whole among its inputs.
        """
        name = self._graph.stand_in(name, at.cell)
        at = self._graph.place(name, at)
        key = (name, at)
        if key not in self._specs:
            stage = self._graph.stages[name]
            self._specs[key] = self.spec(stage.like, at) if stage.like else self._spec(stage, at)
        return self._specs[key]

    def _spec(self, stage: Stage, at: At) -> str:
        # Before what is read: their messages name the key of the config.
        settings = {section: self._plan.settings(at.cell, section) for section in stage.sections}
        settings |= stage.settings(self._plan, at)
        places: dict[tuple[str, At], None] = {}
        for name, read in self._graph.reads[stage.name].items():
            if read.decides:
                for source in self._graph.listed(stage, name, at):
                    where = self._graph.place(source.stage, source.at._replace(shard=at.shard))
                    places[source.stage, where] = None
        inputs = dict.fromkeys(self.digest(*place) for place in places)
        head = {"stage": stage.name, "code": self.code(stage, at), "inputs": list(inputs)}
        return canonical({**head, **settings})

    def digest(self, name: str, at: At) -> str:
        """The digest that stands for a spec; Upstream where that cannot be made."""
        name = self._graph.stand_in(name, at.cell)
        key = (name, self._graph.place(name, at))
        if key not in self._digests:
            try:
                self._digests[key] = digest(self.spec(name, at))
            except Exception as problem:
                raise Upstream(str(problem)) from problem
        return self._digests[key]

    def code(self, stage: Stage, at: At) -> str:
        """Fingerprint of a stage's script and of the modules that it reaches through registries."""
        key = (stage.name, *stage.code(self._plan, at))
        if key not in self._codes:
            script = self._scripts / f"{stage.name}.py"
            self._codes[key] = fingerprint(*key[1:], script=script)
        return self._codes[key]
