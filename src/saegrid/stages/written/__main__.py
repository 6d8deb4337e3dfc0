"""Write anew what is made from the code: `python -m saegrid.stages.written`."""

from saegrid.base.io import write_text
from saegrid.stages.written import renewed

for path, text in renewed().items():
    write_text(path, text)
