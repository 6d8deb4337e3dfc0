"""`python -m saegrid.command`, where the command `saegrid` is not on the path."""

import sys

from saegrid.command import main

if __name__ == "__main__":
    sys.exit(main())
