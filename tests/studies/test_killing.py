"""Runs that are killed at any moment go on where they stopped: no row is lost or there twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sample_study import PROMPTS, Lengths, NoEngine, NoModel, assert_rows, run, shards_in

from visit.studies.running import run_study

ROOT = Path(__file__).parent.parent
# Forks of a process that has all of it loaded: a start of Python for each kill takes minutes.
CODE = f"""
import os, sys
sys.path[:0] = [{str(ROOT / "samples")!r}]
from sample_study import PROMPTS, Lengths, NoEngine, NoModel
from visit.studies.running import run_study
folder, workers = sys.argv[1], int(sys.argv[2])
run_study(Lengths(), PROMPTS[:1], NoModel(), folder + "-warm", engine=NoEngine())
for line in sys.stdin:
    child = os.fork()
    if not child:
        try:
            run_study(
                Lengths(seconds=0.004), PROMPTS, NoModel(), folder, chunk=2, engine=NoEngine()
            )
        finally:
            os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_is_killed_five_times_gives_the_rows_of_one_that_is_not(
    tmp_path: Path, seed: int
):
    run(tmp_path / "whole", chunk=2)
    chance = random.Random(seed)
    folder = tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, "-c", CODE, str(folder), "0"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT.parent,
    ) as server:  # fmt: skip
        assert server.stdin is not None and server.stdout is not None
        for _ in range(5):
            print(file=server.stdin, flush=True)
            child = int(server.stdout.readline())
            time.sleep(chance.uniform(0, 0.06))
            subprocess.run(["kill", "-9", str(child)], check=False, stderr=subprocess.DEVNULL)
            assert server.stdout.readline() == "gone\n"
        server.stdin.close()
    run(folder, chunk=2)
    assert_rows(folder)
    assert shards_in(folder) == shards_in(tmp_path / "whole")
    assert not [one for one in folder.rglob("*.tmp")]


def test_workers_end_with_their_parent_when_it_is_killed(tmp_path: Path):
    """They write nothing more: the next run is alone in the folder."""
    (log := tmp_path / "log").mkdir()
    folder = tmp_path / "rows"
    code = f"""
import sys
sys.path[:0] = [{str(ROOT.parent)!r}, {str(ROOT / "samples")!r}]
from sample_study import PROMPTS, Lengths, NoModel
from visit.studies.running import run_study
if __name__ == "__main__":
    run_study(Lengths(seconds=60), PROMPTS, NoModel(log={str(log)!r}), {str(folder)!r}, workers=2)
"""
    script = tmp_path / "script.py"
    script.write_text(code.replace("workers=2)", "workers=2, chunk=2)"))
    with subprocess.Popen([sys.executable, str(script)], cwd=ROOT.parent) as parent:
        until(lambda: len(list(log.iterdir())) == 2, 60)
        workers = [int(one.name) for one in log.iterdir()]
        parent.kill()
    until(lambda: not any(map(is_alive, workers)), 20)
    run_study(Lengths(), PROMPTS, NoModel(), folder, chunk=2, engine=NoEngine())
    assert_rows(folder)


def is_alive(process: int) -> bool:
    """Whether a process is there that is more than its exit code."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state != "Z"


def until(so, seconds: float) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.05)
