"""Pages without a browser, as the load test has them, are found by their folder."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent.parent.parent / "benchmarks"))
