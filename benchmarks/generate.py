"""How quick tokens come, against transformers' own ``generate``: ``python benchmarks/generate.py``.

The two take turns, so that whatever else the machine does disturbs both alike, and both take the
same tokens with the same cache. The goal is 0.8 of transformers' tokens a second; the other figure
is how long the graph of a step takes whose text was traced already. Exits with 1 below the goal.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from visit.cli.main import WAITING

os.environ.update(WAITING)

GOAL = 0.8
PROMPT = "Once upon a time"


def seconds(work: Callable[[], Any]) -> float:
    """How long a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Measure, print, and say by the exit code whether the goal is reached."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", default="mini")
    arguments.add_argument("--count", type=int, default=40)
    arguments.add_argument("--rounds", type=int, default=15)
    given = arguments.parse_args()

    import torch

    from visit.engine.generating import Generate
    from visit.graph.request import Request
    from visit.session import Session

    session = Session.load(given.model)
    model = session.resident.loaded.model
    question = Generate(Request(PROMPT, layers="none"), given.count)
    found = session.ask(question)
    prompt = torch.tensor([[token.id for token in found.tokens]])

    def ours() -> None:
        session.resident.answers.clear()
        session.ask(question, lambda stage, part: None)

    def theirs() -> None:
        model.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=given.count,
            do_sample=False, pad_token_id=0,
        )  # fmt: skip

    pairs = [(seconds(ours), seconds(theirs)) for _ in range(given.rounds)]
    n_tokens = len(found.steps)
    own, floor = (median(times) for times in zip(*pairs, strict=True))
    ratio = median(floor / own for own, floor in pairs)
    steps = []
    for step in range(n_tokens):
        session.resident.answers.clear()
        request = found.request_at(step)
        steps.append(seconds(partial(session.explain, request)))
    print(f"{given.model}: {n_tokens} tokens, median of {given.rounds} rounds")
    print(f"  visit         {n_tokens / own:8.1f} tokens/s")
    print(f"  transformers  {n_tokens / floor:8.1f} tokens/s")
    print(f"  part of it    {ratio:8.2f}  (goal {GOAL})")
    print(f"  graph of a step, median {1000 * median(steps[1:]):.0f} ms")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
