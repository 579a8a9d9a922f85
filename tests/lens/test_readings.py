"""The Reader: words for vectors, none measured twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from specimens import Numbered, specimen

from visit.lens.measured import Measured
from visit.lens.projector import Projector
from visit.lens.readings import BYTES_A_WORD, Reader


class Counting(Projector):
    """A Projector that counts what it measures."""

    n_measured = 0

    def measure_in_parts(
        self,
        vectors: torch.Tensor,
        top_k: int,
        on_part: Callable[[float], None] = lambda part: None,
    ) -> Iterator[Measured]:
        self.n_measured += len(vectors)
        return super().measure_in_parts(vectors, top_k, on_part)


@pytest.fixture
def projector() -> Counting:
    return Counting(specimen("gpt2").architecture)


def vectors(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 30, generator=torch.Generator().manual_seed(seed)).double()


def test_a_reading_says_what_was_measured(projector: Counting):
    asked = vectors(5)
    measured = projector.measure(asked, 3)
    targeted = projector.target(asked, measured, 17)
    for row, reading in enumerate(Reader(projector, Numbered()).read(asked, 17, 3)):
        assert [token.id for token in reading.top] == measured.top_ids[row].tolist()
        probs = measured.probs(measured.top_logits)[row].tolist()
        assert [token.prob for token in reading.top] == probs
        assert [token.id for token in reading.bottom] == measured.bottom_ids[row].tolist()
        assert reading.top[0].text == f"<{reading.top[0].id}>"
        assert reading.target.rank == int(targeted.rank[row])
        assert reading.target.prob == float(targeted.prob[row])
        assert reading.target.logit == float(targeted.logit[row])
        assert reading.entropy == float(measured.entropy[row])
        assert reading.norm == pytest.approx(float(asked[row].norm()), rel=1e-12)


def test_equal_vectors_are_measured_once(projector: Counting):
    asked = vectors(4)[[0, 1, 1, 2, 3, 0]]
    readings = Reader(projector, Numbered()).read(asked, 5, 3)
    assert projector.n_measured == 4
    assert readings[0] == readings[5] and readings[1] == readings[2] != readings[3]


def test_another_target_measures_nothing_and_says_the_same_as_a_new_reader(projector: Counting):
    reader, asked = Reader(projector, Numbered()), vectors(7)
    reader.read(asked, 5, 3)
    projector.n_measured = 0
    again = reader.read(asked[[6, 2, 4]], 11, 3)
    assert projector.n_measured == 0
    assert again == Reader(Projector(projector._architecture), Numbered()).read(
        asked[[6, 2, 4]], 11, 3
    )


def test_more_tokens_than_were_listed_are_measured_anew(projector: Counting):
    reader, asked = Reader(projector, Numbered()), vectors(3)
    reader.read(asked, 5, 3)
    longer = reader.read(asked, 5, 20)
    assert [len(reading.top) for reading in longer] == [20, 20, 20]
    everything = reader.read(asked, 5, 10_000)
    assert [len(reading.top) for reading in everything] == [61, 61, 61]
    projector.n_measured = 0
    assert reader.read(asked, 5, 10_000) == everything
    assert projector.n_measured == 0


def test_what_was_used_longest_ago_is_let_go(projector: Counting):
    one = projector.measure(vectors(1), 10).n_bytes + 20 * BYTES_A_WORD
    reader = Reader(projector, Numbered(), kept_bytes=4 * one)
    first, second, third = vectors(2, 1), vectors(2, 2), vectors(2, 3)
    for asked in (first, second, first, third):
        reader.read(asked, 0, 3)
    projector.n_measured = 0
    reader.read(torch.cat([first, third]), 1, 3)
    assert projector.n_measured == 0
    reader.read(second, 1, 3)
    assert projector.n_measured == 2


def test_what_does_not_fit_is_read_all_the_same(projector: Counting):
    reader, asked = Reader(projector, Numbered(), kept_bytes=0), vectors(3)
    assert reader.read(asked, 0, 3) == reader.read(asked, 0, 3)


def test_no_vectors_have_no_readings(projector: Counting):
    assert Reader(projector, Numbered()).read(vectors(0), 0, 3) == ()


class Shelf:
    """Keeps vectors in a dictionary, and counts what it was asked for."""

    def __init__(self, nothing: Measured) -> None:
        self.kept: dict[bytes, Measured] = {}
        self.nothing = nothing

    def lookup(self, keys: Sequence[bytes], top_k: int) -> tuple[torch.Tensor, Measured]:
        found = [self.kept[key] for key in keys if key in self.kept] or [self.nothing]
        return torch.tensor([key in self.kept for key in keys]), Measured.join(found)

    def keep(self, keys: Sequence[bytes], measured: Measured) -> bool:
        for row, key in enumerate(keys):
            self.kept[key] = measured.at(slice(row, row + 1))
        return True


def test_what_weights_say_lasts_for_the_next_reader(projector: Counting):
    shelf, asked = Shelf(projector.measure(vectors(1), 10).at(slice(0))), vectors(6)
    first = Reader(projector, Numbered(), shelf).read(asked, 5, 3, of_weights={1, 4})
    assert len(shelf.kept) == 2
    projector.n_measured = 0
    again = Reader(projector, Numbered(), shelf).read(asked, 5, 3, of_weights={0, 1, 4})
    assert projector.n_measured == 4
    assert again == first
    assert len(shelf.kept) == 3
