"""What whole studies cost: several workers beside one, memory over many prompts, and a report.

    python benchmarks/studies.py                        # all three, some minutes
    python benchmarks/studies.py workers --rounds 5

Every run is a fresh process, and each worker has one thread. Loading the model does not count. A
ratio on the clock is only as good as the machine is quiet, so the load is told beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from figures import table

from visit.cli.main import WAITING
from visit.studies.folder import StudyFolder
from visit.studies.loading import find_study
from visit.studies.model_spec import ModelSpec
from visit.studies.prompts import read_source
from visit.studies.run import CHUNK, Plan
from visit.studies.running import run_study
from visit.studies.shards import bytes_from_surveyed, layouts_of
from visit.studies.study import Prompt

ROOT = Path(__file__).parent.parent
MEGABYTE = 1e6
LAYERS, HEADS = 30, 9
"""SmolLM2-135M's, of which the report's rows are."""
SHARDS_APART = 16
"""So many shards of the report hold numbers of their own; the others repeat them."""
Found = Mapping[str, float]


def workers(rounds: int) -> Found:
    """Prompts a second of two workers and of one, in turn; the fastest round of each."""
    found: dict[int, list[Found]] = {1: [], 2: []}
    for _ in range(rounds):
        for count, runs in found.items():
            runs.append(_ask("run", str(count)))
    fastest = {count: max(run["rate"] for run in runs) for count, runs in found.items()}
    work = {count: min(run["processor"] for run in runs) for count, runs in found.items()}
    return {
        "one a second": fastest[1],
        "two a second": fastest[2],
        "ratio": fastest[2] / fastest[1],
        "processor time of two / one": work[2] / work[1],
        "load": os.getloadavg()[0],
    }


def run_once(count: int, n_prompts: int = 2048) -> Found:
    """Measure with so many workers, from the first chunk on; this process has done nothing yet."""
    read = read_source("capitals", limit=n_prompts)
    study = find_study("heads-and-residual", {"values": "0", "queries": "false"})
    before = _processor()
    with tempfile.TemporaryDirectory() as folder:
        ran = run_study(study, read.prompts, ModelSpec(), folder, workers=count)
    return {"rate": ran.n_new / ran.seconds, "processor": _processor() - before}


def _processor() -> float:
    """The processor time of this process and of its workers that have ended."""
    of = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in of)


def memory(n_prompts: int = 5000, step: int = 1000) -> Found:
    """The resident set as every further thousand prompts is done."""
    read = read_source("repeats", limit=n_prompts)
    held: dict[int, float] = {}

    def look(stage: str, part: float) -> None:
        if stage.startswith("prompts"):
            held.setdefault(int(part * n_prompts) // step * step, _resident())

    with tempfile.TemporaryDirectory() as folder:
        run_study(find_study("head-scores", {}), read.prompts, ModelSpec(), folder, progress=look)
    held = {n: size for n, size in held.items() if n}
    growth = max(held.values()) / held[step] - 1
    return {**{f"MB after {n:,}": size for n, size in held.items()}, "growth": growth}


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def report(n_rows: int = 100_000) -> Found:
    """The command ``visit study report`` on a folder of heads-and-residual, from start to end."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        fill(folder, n_rows)
        size = sum(one.stat().st_size for one in folder.rglob("*.parquet"))
        command = [sys.executable, "-m", "visit.cli.entry", "study", "report", str(folder)]
        own = os.environ | WAITING | {"PYTHONPATH": str(ROOT)}
        started = perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=own)
        seconds = perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "rows": n_rows,
        "MB on the disk": size / MEGABYTE,
        "seconds": seconds,
        "processor": used.ru_utime + used.ru_stime,
        "peak MB": used.ru_maxrss * 1024 / MEGABYTE,
        "load": os.getloadavg()[0],
    }


def fill(folder: Path, n_rows: int) -> None:
    """A study's folder with the rows of a first chunk, and drawn ones of the sizes of SmolLM2.

    The manifest is a real run's of the bundled model, with the columns made larger.
    """
    study = find_study("heads-and-residual", {"values": "0", "queries": "false"})
    prompts = [Prompt(n, n + 1, f"Prompt number {n:,} is") for n in range(n_rows)]
    real = folder.with_name("real")
    run_study(study, prompts[:2], ModelSpec(), real)
    kept = StudyFolder(real).manifest()
    small = study.measure(ModelSpec().load(), prompts[:2], {})
    random = np.random.default_rng(0)

    def draw(name: str, n_axes: int) -> Any:
        shape = (CHUNK, *(LAYERS, HEADS)[:n_axes])
        if name == "norm":
            return random.lognormal(size=shape).astype(np.float32)
        return (random.binomial(50, 0.1, shape) / 50).astype(np.float32)

    drawn = [
        {one.name: draw(one.name, len(one.axes)) for one in small.columns}
        for _ in range(SHARDS_APART)
    ]
    plan = Plan(study, prompts)
    place = StudyFolder(folder)
    with place.alone():
        for number in plan.numbers:
            some = plan.prompts_of(number)
            values = {name: one[: len(some)] for name, one in drawn[number % SHARDS_APART].items()}
            surveyed = replace(small, values=values, places=tuple(range(len(some))), failed=())
            place.put(number, bytes_from_surveyed(surveyed, some))
            layouts = layouts_of(surveyed)
        place.keep(replace(plan.manifest(), model=kept.model, prepared={}, columns=layouts))


def _ask(*arguments: str) -> Found:
    """What a fresh process with one thread finds."""
    own = os.environ | WAITING | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, __file__, *arguments]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=own)
    found: Found = json.loads(ended.stdout.splitlines()[-1])
    return found


def _rows(found: Mapping[str, Found]) -> Iterator[tuple[str, str, str]]:
    for what, numbers in found.items():
        for name, number in numbers.items():
            yield what, name, f"{number:,.4g}" if number < 1000 else f"{number:,.0f}"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("all", "workers", "memory", "report", "run"),
                        default="all")  # fmt: skip
    parser.add_argument("count", nargs="?", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3, help="of either number of workers")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.what == "run":
        print(json.dumps(run_once(asked.count)))
        return
    if asked.here:
        print(json.dumps(memory()))
        return
    measures: dict[str, Callable[[], Found]] = {
        "workers": lambda: workers(asked.rounds),
        "memory": lambda: _ask("memory", "--here"),
        "report": report,
    }
    chosen = measures if asked.what == "all" else {asked.what: measures[asked.what]}
    found = {name: measure() for name, measure in chosen.items()}
    print(table(("what", "figure", "found"), _rows(found)))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
