"""What a survey of heads costs beside the least that any way to it must: its passes and readings.

    OMP_NUM_THREADS=1 python benchmarks/surveyed.py --model smollm2 --prompts 32

The floor is plain forward passes of the very batches that the survey ran, without hooks and with
logits at one position each, and one matrix product of as many vectors as it read with the
unembedding, in the chunks that are quickest. Processor time of this process, the survey and its
floor in turn; the fastest round of each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from visit.engine.surveys import SurveyHeads
from visit.lens.projector import Projector
from visit.session import Session
from visit.studies.prompts.bundled import BUNDLED

CHUNKS = (256, 1024)
"""How many vectors the floor multiplies at once: whichever of these is quickest."""
PANEL_BYTES = 4 << 20
"""Of the unembedding, where the floor multiplies it in panels."""
Product = Callable[[int], None]


@dataclass(frozen=True)
class Throughput:
    """What a survey cost, in seconds.

    Attributes:
        prompts: How many were surveyed.
        batches: In how many batches.
        vectors: How many vectors were read.
        forward: The plain passes.
        product: The product alone.
        taken: The survey.
        chunk: How many vectors the product took at once.
    """

    prompts: int
    batches: int
    vectors: int
    forward: float
    product: float
    taken: float
    chunk: str

    @property
    def part(self) -> float:
        """The survey's throughput, as a part of the floor's."""
        return (self.forward + self.product) / self.taken

    def __str__(self) -> str:
        return (
            f"{self.prompts} prompts in {self.batches} batches, {self.vectors:,} vectors: "
            f"floor {self.forward:.2f} + {self.product:.2f} s ({self.chunk}), "
            f"survey {self.taken:.2f} s: {self.part:.2f} of its throughput"
        )


def measure(session: Session, question: SurveyHeads, rounds: int = 3) -> Throughput:
    """A survey and its floor in turn; every round finds the answer anew."""
    batches: list[Tensor] = []
    read: list[int] = []

    def survey() -> None:
        session.resident.answers.clear()
        session.ask(question)

    with _watch(session, batches, read):
        survey()  # warms up, too
    n_vectors = sum(read)
    model = session.resident.loaded.model

    @torch.inference_mode()
    def forward() -> None:
        for ids in batches:
            model(input_ids=ids, use_cache=False, logits_to_keep=1)

    chunk, product = _quickest(session.resident.loaded.architecture.unembedding)
    times: dict[str, list[float]] = {"forward": [], "product": [], "taken": []}
    for _ in range(rounds):
        for name, work in (
            ("forward", forward),
            ("product", lambda: product(n_vectors)),
            ("taken", survey),
        ):
            times[name].append(_time(work))
    least = {name: min(found) for name, found in times.items()}
    return Throughput(len(question.prompts), len(batches), n_vectors, chunk=chunk, **least)


@contextmanager
def _watch(session: Session, batches: list[Tensor], read: list[int]) -> Iterator[None]:
    """Note the batches that the model runs, and how many vectors are read each time."""
    model, plain = session.resident.loaded.model, Projector.read

    def note(module: Any, given: Any, named: dict[str, Any]) -> None:
        batches.append(named["input_ids"])

    def count(self: Projector, vectors: Tensor, take: Any) -> Any:
        read.append(len(vectors))
        return plain(self, vectors, take)

    hook = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        with mock.patch.object(Projector, "read", count):
            yield
    finally:
        hook.remove()


def _quickest(unembedding: Tensor) -> tuple[str, Product]:
    """The quickest way to multiply vectors with the unembedding, as far as it is tried."""
    d_model, d_vocab = unembedding.shape
    panel = max(1024, PANEL_BYTES // (4 * d_model))
    ways: dict[str, Product] = {}
    for chunk in CHUNKS:
        for width in {d_vocab, min(panel, d_vocab)}:
            name = f"{chunk} vectors" + (f" by {width} tokens" if width < d_vocab else "")
            ways[name] = _product(unembedding, chunk, width)
    times = {
        name: min(_time(partial(way, CHUNKS[-1])) for _ in range(2)) for name, way in ways.items()
    }
    best = min(times, key=times.__getitem__)
    return best, ways[best]


def _product(unembedding: Tensor, chunk: int, width: int) -> Product:
    d_model, d_vocab = unembedding.shape
    vectors = torch.randn(chunk, d_model, dtype=unembedding.dtype)
    out = vectors.new_empty(chunk, d_vocab)

    @torch.inference_mode()
    def multiply(count: int) -> None:
        for begin in range(0, count, chunk):
            some = min(chunk, count - begin)
            columns = unembedding.split(width, dim=1)
            for part, into in zip(columns, out[:some].split(width, dim=1), strict=True):
                torch.mm(vectors[:some], part, out=into)

    return multiply


def _time(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def capitals(n: int, **options: Any) -> SurveyHeads:
    """A survey of the bundled prompts of that name."""
    prompts, targets = zip(*BUNDLED["capitals"].draw(n, seed=0), strict=True)
    return SurveyHeads.of(prompts, targets, **options)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mini")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--heads-only", action="store_true", help="no values, queries and keys")
    asked = parser.parse_args(arguments)
    options = {"values": 0, "queries": False} if asked.heads_only else {}
    session = Session.load(asked.model)
    print(measure(session, capitals(asked.prompts, **options), asked.rounds))


if __name__ == "__main__":
    main()
