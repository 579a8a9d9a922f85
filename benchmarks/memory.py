"""How much memory a whole graph takes above the loaded model, at several lengths of prompt.

    python benchmarks/memory.py --tokens 64 256 1024 --layers none all

Each figure is the peak of the resident set less what it was before the first request, in a fresh
process: the kernel's own high-water mark (``VmHWM``), set back to the present (``clear_refs``) once
the model is loaded, so that loading does not count. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from figures import table

from visit.cli.main import WAITING

MEGABYTE = 1e6


@dataclass(frozen=True)
class Peak:
    """What one request took, in a process of its own.

    Attributes:
        tokens: How long the prompt is.
        layers: Which blocks were opened.
        sharpness: How few sources each head picks (``sized.gpt2_medium_sized``).
        model_mb: The resident set with the model loaded, in megabytes.
        peak_mb: The most it grew by.
        kept_mb: What it had grown by when the graph was there.
        seconds: How long the request took.
        nodes: Of the graph.
        readers: Positions that are on the route.
    """

    tokens: int
    layers: str
    sharpness: float
    model_mb: float
    peak_mb: float
    kept_mb: float
    seconds: float
    nodes: int
    readers: int


def measured(tokens: int, layers: str, sharpness: float = 1.0) -> Peak:
    """The peak of one request to a GPT-2-medium-sized model, from a fresh process."""
    command = [sys.executable, __file__, "--one", str(tokens), layers, str(sharpness)]
    with tempfile.TemporaryDirectory() as cache:
        # As visit's own command line sets it; and no atlas from earlier runs.
        own = WAITING | {"VISIT_CACHE": cache}
        ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | own)
    return Peak(**json.loads(ended.stdout))


def measured_here(tokens: int, layers: str, sharpness: float) -> Peak:
    """The same in this process, which must have asked for nothing yet."""
    from sized import gpt2_medium_sized, numbered_prompt

    from visit.graph.request import Request
    from visit.session import Session

    session = Session(gpt2_medium_sized(sharpness=sharpness))
    request = Request(numbered_prompt(tokens), layers=layers)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to what is held now
    before, start = _held("VmRSS"), perf_counter()
    flow = session.explain(request)
    seconds = perf_counter() - start
    return Peak(
        tokens=len(flow.tokens),
        layers=layers,
        sharpness=sharpness,
        model_mb=before,
        peak_mb=_held("VmHWM") - before,
        kept_mb=_held("VmRSS") - before,
        seconds=seconds,
        nodes=len(flow.nodes),
        readers=len({node.id.position for node in flow.nodes}),
    )


def _held(name: str) -> float:
    """A line of this process's status, in megabytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / MEGABYTE
    raise LookupError(name)


def report(peaks: Sequence[Peak]) -> str:
    """The figures as a Markdown table."""
    head = ("tokens", "layers", "sharpness", "nodes", "positions", "peak", "after", "time")
    return table(
        head,
        (
            (
                f"{peak.tokens}", peak.layers, f"{peak.sharpness:g}", f"{peak.nodes:,}",
                f"{peak.readers}", f"{peak.peak_mb:,.0f} MB", f"{peak.kept_mb:,.0f} MB",
                f"{peak.seconds:.1f} s",
            )
            for peak in peaks
        ),
    )  # fmt: skip


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--layers", nargs="+", default=["none", "all"])
    parser.add_argument("--sharpness", type=float, nargs="+", default=[1.0])
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        tokens, layers, sharpness = asked.one
        print(json.dumps(asdict(measured_here(int(tokens), layers, float(sharpness)))))
        return
    peaks = [
        measured(tokens, layers, sharpness)
        for tokens in asked.tokens
        for sharpness in asked.sharpness
        for layers in asked.layers
    ]
    print(report(peaks))
    if asked.json:
        asked.json.write_text(json.dumps([asdict(peak) for peak in peaks], indent=1) + "\n")


if __name__ == "__main__":
    main()
