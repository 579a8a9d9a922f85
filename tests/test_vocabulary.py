"""The Projector against one vector at a time, written out."""

from __future__ import annotations

import math

import pytest
import torch
from models import Numbered, specimen

from visit.errors import Cancelled
from visit.vocabulary import Projector, measure


@pytest.fixture(params=["gpt2", "llama-gqa", "gemma2", "granite"])
def projector(request: pytest.FixtureRequest) -> Projector:
    return Projector(specimen(request.param).architecture, Numbered())


def vectors_for(projector: Projector, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    d_model = projector._architecture.sizes.d_model
    return 3 * torch.randn(count, d_model, generator=generator, dtype=torch.float64)


def test_readings_are_those_of_one_vector_at_a_time(projector: Projector):
    vectors = vectors_for(projector, 9)
    architecture = projector._architecture
    for vector, reading in zip(vectors, projector.read(vectors, 17, 4), strict=True):
        logits = architecture.logits(architecture.final_norm(vector[None]))[0]
        probs = logits.softmax(-1)
        order = probs.argsort(descending=True)
        assert [token.id for token in reading.top] == order[:4].tolist()
        assert [token.id for token in reading.bottom] == order.flip(0)[:4].tolist()
        assert reading.top[0].prob == pytest.approx(float(probs.max()), rel=1e-6)
        assert reading.top[0].text == f"<{int(order[0])}>"
        assert reading.target.logit == pytest.approx(float(logits[17]), rel=1e-5, abs=1e-6)
        assert reading.target.prob == pytest.approx(float(probs[17]), rel=1e-5)
        assert reading.target.rank == 1 + order.tolist().index(17)
        entropy = -float((probs * probs.log2()).sum())
        assert reading.entropy == pytest.approx(entropy, rel=1e-5, abs=1e-9)
        assert reading.norm == pytest.approx(float(vector.square().sum().sqrt()), rel=1e-6)


def test_no_result_depends_on_the_chunking(projector: Projector):
    vectors = vectors_for(projector, 11)
    one_each = Projector(projector._architecture, Numbered(), chunk_logits=1)
    for ours, theirs in zip(
        projector.read(vectors, 5, 3), one_each.read(vectors, 5, 3), strict=True
    ):
        assert ours.top[0].id == theirs.top[0].id
        assert ours.target.rank == theirs.target.rank
        assert ours.target.prob == pytest.approx(theirs.target.prob, rel=1e-10)


def test_a_reading_lists_at_most_the_whole_vocabulary(projector: Projector):
    (reading,) = projector.read(vectors_for(projector, 1), 0, 1000)
    assert len(reading.top) == 61
    assert sum(token.prob for token in reading.top) == pytest.approx(1)


def test_no_vectors_have_no_readings(projector: Projector):
    assert projector.read(vectors_for(projector, 0), 0, 3) == ()


def test_a_uniform_distribution_has_the_vocabularys_bits_and_everything_ranks_first():
    measured = measure(torch.zeros(1, 64), torch.zeros(1), 3, 2)
    assert float(measured.entropy[0]) == pytest.approx(math.log2(64))
    assert int(measured.target_rank[0]) == 1


def test_an_impossible_token_does_not_spoil_the_entropy():
    measured = measure(torch.tensor([[0.0, 0.0, -math.inf]]), torch.zeros(1), 2, 1)
    assert float(measured.entropy[0]) == pytest.approx(1)
    assert float(measured.target_prob[0]) == 0


def test_a_long_reading_tells_how_far_it_is_and_can_be_stopped(projector: Projector):
    one_each = Projector(projector._architecture, Numbered(), chunk_logits=1)
    vectors = vectors_for(projector, 4)
    heard: list[float] = []
    one_each.read(vectors, 0, 3, heard.append)
    assert heard == [0, 0.25, 0.5, 0.75]

    def stop(part: float) -> None:
        if part >= 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        one_each.read(vectors, 0, 3, stop)
