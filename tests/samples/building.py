"""Builds that are killed or run twice at once, in processes of their own; see test_atlas_files.

    python building.py FOLDER

loads the bundled model once and forks: a build that is left alone, one that is killed again and
again, and two at once. Prints, as JSON, how many files were there after each kill.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from visit.lens.atlas import Atlas
from visit.lens.projector import Projector
from visit.models.loading import load
from visit.models.tokens import Tokens

KILLED_AT = (0, 1, 2, 9, 20, 33)
"""How many files are there when the build is killed."""


def main(folder: Path) -> None:
    loaded = load("mini")
    tokens = Tokens(loaded.tokenizer, loaded.architecture.sizes.d_vocab)
    projector = Projector(loaded.architecture)

    def start(root: Path) -> int:
        child = os.fork()
        if child == 0:
            Atlas(loaded.info, loaded.architecture, tokens, projector, root).build()
            os._exit(0)
        return child

    def wait(child: int) -> None:
        assert os.waitpid(child, 0)[1] == 0

    def n_files(root: Path) -> int:
        return len(list(root.rglob("*.safetensors")))

    wait(start(folder / "alone"))
    left = []
    for moment in KILLED_AT:
        child = start(folder / "killed")
        while n_files(folder / "killed") < moment:
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        left.append(n_files(folder / "killed"))
    wait(start(folder / "killed"))
    for child in [start(folder / "together"), start(folder / "together")]:
        wait(child)
    print(json.dumps(left))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
