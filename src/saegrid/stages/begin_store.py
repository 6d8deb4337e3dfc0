"""A file for each site that stands for a store which is filled beside the trainings."""

from saegrid.stages.fill_store import READS, identity, weighs
from saegrid.stages.places import every_site, streamed
from saegrid.stages.stage import CORPUS, Needs, Stage
from saegrid.store.manifest import BEGUN

BEGIN_STORE = Stage(
    "begin_store",
    reads=READS,
    writes={"begun": every_site(CORPUS + f"store/{{capture}}/{{site}}{BEGUN}.json")},
    like="fill_store",
    needs=Needs(memory=1000, minutes=5, group="corpus"),
    weighs=weighs,  # the first training fills what was begun
    parts={"capture": identity},
    only={"corpus": streamed},
)
