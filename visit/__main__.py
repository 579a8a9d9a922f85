"""``python -m visit``: the command line."""

import sys

from visit.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
