"""The measuring tools are scripts, not a package: they are found by their folder."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from visit.cli.main import WAITING

sys.path.append(str(Path(__file__).parent))
# As visit's own command line sets them.
os.environ.update(WAITING)
gc.set_threshold(100_000, 20, 20)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder that holds nothing, for every benchmark."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIT_CACHE", str(folder))
        yield folder
