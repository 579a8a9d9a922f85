"""The Projector against one vector at a time, written out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from specimens import logits_of, specimen

from visit.errors import Cancelled
from visit.lens.measured import measure_alone, ranks
from visit.lens.projector import Projector


@pytest.fixture(params=["gpt2", "llama-gqa", "gemma2", "granite"])
def projector(request: pytest.FixtureRequest) -> Projector:
    return Projector(specimen(request.param).architecture)


def vectors_for(projector: Projector, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    d_model = projector._architecture.sizes.d_model
    return 3 * torch.randn(count, d_model, generator=generator, dtype=torch.float64)


def test_measures_are_those_of_one_vector_at_a_time(projector: Projector):
    vectors = vectors_for(projector, 9)
    architecture = projector._architecture
    measured = projector.measure(vectors, 4)
    targeted = projector.target(vectors, measured, 17)
    for row, vector in enumerate(vectors):
        logits = logits_of(architecture, architecture.final_norm(vector[None]))[0]
        probs = logits.softmax(-1)
        order = probs.argsort(descending=True)
        assert measured.top_ids[row].tolist() == order[:4].tolist()
        assert measured.bottom_ids[row].tolist() == order.flip(0)[:4].tolist()
        assert float(measured.probs(measured.top_logits)[row, 0]) == pytest.approx(
            float(probs.max()), rel=1e-6
        )
        log_total = float(logits.logsumexp(-1) - logits.max())
        assert float(measured.log_total[row]) == pytest.approx(log_total)
        entropy = -float((probs * probs.log2()).sum())
        assert float(measured.entropy[row]) == pytest.approx(entropy, rel=1e-5, abs=1e-9)
        assert float(targeted.logit[row]) == pytest.approx(float(logits[17]), rel=1e-5, abs=1e-6)
        assert float(targeted.prob[row]) == pytest.approx(float(probs[17]), rel=1e-5)
        assert int(targeted.rank[row]) == 1 + order.tolist().index(17)


def test_no_row_depends_on_the_others_or_on_the_chunking(projector: Projector):
    vectors = vectors_for(projector, 300)
    whole = projector.measure(vectors, 3)
    small = Projector(projector._architecture, chunk_logits=1)
    assert small.chunk < len(vectors) < projector.chunk
    split = small.measure(vectors, 3)
    rows = [0, 1, 63, 64, 127, 128, 255, 299]
    alone = [projector.measure(vectors[row : row + 1], 3) for row in rows]
    for name in whole.__slots__:
        assert torch.equal(getattr(split, name), getattr(whole, name)), name
        assert torch.equal(
            torch.cat([getattr(one, name) for one in alone]), getattr(whole, name)[rows]
        )


def large_projector(d_model: int, d_vocab: int, scale: float = 1.0) -> Projector:
    """Of random numbers in float32, with sizes that no tiny model has."""
    tiny = specimen("llama-gqa", torch.float32).architecture
    generator = torch.Generator().manual_seed(8)
    unembedding = scale * torch.randn(d_vocab, d_model, generator=generator).T
    return Projector(
        replace(
            tiny,
            sizes=replace(tiny.sizes, d_model=d_model, d_vocab=d_vocab),
            unembedding=unembedding,
            final_norm=replace(tiny.final_norm, gain=torch.ones(d_model)),
        )
    )


@pytest.mark.parametrize("d_model", [768, 1100])
def test_a_vector_says_the_same_alone_as_among_others(d_model: int):
    """BLAS adds up a long sum in another order for one vector, for forty and for a thousand."""
    projector = large_projector(d_model, 2100)
    vectors = torch.randn(300, d_model, generator=torch.Generator().manual_seed(9))
    whole = projector.measure(vectors, 3)
    target = projector.target(vectors, whole, 1999)
    for rows in (slice(7, 8), slice(0, 40), slice(250, 300)):
        some = projector.measure(vectors[rows], 3)
        for name in whole.__slots__:
            assert torch.equal(getattr(some, name), getattr(whole, name)[rows]), name
        again = projector.target(vectors[rows], some, 1999)
        for name in target.__slots__:
            assert torch.equal(getattr(again, name), getattr(target, name)[rows]), name


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_the_target_is_as_probable_as_the_listing_says_and_never_above_1(scale: float):
    """One logit for both: next to a logit of 3,000, two sums of the same products differ."""
    projector = large_projector(768, 2100, scale)
    vectors = torch.randn(40, 768, generator=torch.Generator().manual_seed(9))
    measured = projector.measure(vectors, 10)
    probs = measured.probs(measured.top_logits)
    for row in range(len(vectors)):
        one = measured.at(slice(row, row + 1))
        for place in (0, 1, 9):
            target = projector.target(vectors[[row]], one, int(one.top_ids[0, place]))
            assert float(target.logit) == float(measured.top_logits[row, place])
            assert float(target.prob) == float(probs[row, place])
            assert int(target.rank) == place + 1
    assert float(probs.max()) <= 1


@pytest.mark.parametrize("highest", [0.0, 3000.0, -3000.0])
def test_a_small_entropy_is_no_zero(highest: float):
    below = torch.tensor([0.0, -11.5, -12.25, -13.0])
    measured = measure_alone((highest + below).expand(2, -1), 2)
    probs = below.double().softmax(-1)
    entropy = -float((probs * probs.log2()).sum())
    assert entropy == pytest.approx(3.2e-4, rel=0.1)
    assert measured.entropy.tolist() == pytest.approx([entropy] * 2, rel=1e-5)


@pytest.mark.parametrize("d_vocab", [300, 5003])
def test_equally_probable_tokens_are_listed_by_their_ids_however_many_are_listed(d_vocab: int):
    generator = torch.Generator().manual_seed(6)
    logits = torch.randn(6, d_vocab, generator=generator).round(decimals=1)
    logits[1] = 0
    whole = logits.sort(dim=-1, descending=True, stable=True).indices
    lowest = logits.sort(dim=-1, stable=True).indices
    for top_k in (1, 10, 37):
        measured = measure_alone(logits, top_k)
        assert torch.equal(measured.top_ids, whole[:, :top_k])
        assert torch.equal(measured.bottom_ids, lowest[:, :top_k])


def test_no_reading_depends_on_the_panels_of_the_product(
    projector: Projector, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("visit.lens.projector._PANEL_TOKENS", 16)
    monkeypatch.setattr("visit.lens.projector._PANEL_ELEMENTS", 1)
    vectors = vectors_for(projector, 21)
    whole = projector.measure(vectors, 3)
    panelled = Projector(projector._architecture)
    assert panelled._panel == 16 < projector.d_vocab
    measured = panelled.measure(vectors, 3)
    assert torch.equal(measured.top_ids, whole.top_ids)
    assert torch.equal(measured.bottom_ids, whole.bottom_ids)
    torch.testing.assert_close(measured.log_total, whole.log_total)
    torch.testing.assert_close(measured.entropy, whole.entropy)
    rank = projector.target(vectors, whole, 17).rank
    assert torch.equal(panelled.target(vectors, measured, 17).rank, rank)


def test_a_listing_holds_at_most_the_whole_vocabulary(projector: Projector):
    measured = projector.measure(vectors_for(projector, 1), 1000)
    assert measured.top_ids.shape == (1, 61)
    assert float(measured.probs(measured.top_logits).sum()) == pytest.approx(1)


def test_a_uniform_distribution_has_the_vocabularys_bits_and_everything_ranks_first():
    logits = torch.zeros(1, 64)
    measured = measure_alone(logits, 2)
    assert float(measured.entropy[0]) == pytest.approx(math.log2(64))
    assert ranks(measured.codes, 3, lambda rows, ids: logits[rows, ids]).tolist() == [1]


def test_an_impossible_token_does_not_spoil_the_entropy_and_ranks_last():
    logits = torch.tensor([[0.0, 0.0, -math.inf], [1.0, 2.0, 3.0]])
    measured = measure_alone(logits, 1)
    assert float(measured.entropy[0]) == pytest.approx(1)
    assert measured.probs(measured.bottom_logits)[0].tolist() == [0]
    assert ranks(measured.codes, 2, lambda rows, ids: logits[rows, ids]).tolist() == [3, 1]


@pytest.mark.parametrize("spread", [1e-6, 1.0, 1e3, 1e6])
def test_ranks_from_codes_are_the_ranks_of_the_logits(spread: float):
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(5, 70_000, generator=generator) * spread
    logits[1, :30] = 40 * spread  # an outlier squeezes all the others into few codes
    logits[2] = logits[2].round(decimals=1)  # ties
    codes = measure_alone(logits, 3).codes
    for token in (0, 17, 69_999, int(logits[0].argmax()), int(logits[3].argmin())):
        expected = 1 + (logits > logits[:, token : token + 1]).sum(-1)
        found = ranks(codes, token, lambda rows, ids: logits[rows, ids])
        assert found.tolist() == expected.tolist()


def test_the_last_of_a_large_vocabulary_is_ranked_behind_all_others():
    logits = torch.linspace(0, -20, 280_000).unsqueeze(0)  # more than any model has so far
    codes = measure_alone(logits, 1).codes
    for token in (0, 140_001, 279_999):
        found = ranks(codes, token, lambda rows, ids: logits[rows, ids])
        assert found.tolist() == [token + 1]


@pytest.mark.parametrize("top_k", [1, 10, 40])
def test_top_and_bottom_tokens_are_those_of_a_sort(top_k: int):
    logits = torch.randn(6, 3010, generator=torch.Generator().manual_seed(5))
    logits[0, 3000:] += 9  # all at the end, beyond the last whole block
    logits[1, 640:704] -= 9  # all in one block
    measured, order = measure_alone(logits, top_k), logits.argsort(dim=-1, descending=True)
    assert torch.equal(measured.top_ids, order[:, :top_k])
    assert torch.equal(measured.bottom_ids, order.flip(1)[:, :top_k])


def test_codes_keep_the_order_of_the_logits():
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(3, 5000, generator=generator)
    codes = measure_alone(logits, 2).codes
    for row, code in zip(logits, codes, strict=True):
        assert (code[row.argsort()].diff() >= 0).all()
        assert (code.min(), code.max()) == (-(1 << 15), (1 << 15) - 1)


def test_a_long_measurement_tells_how_far_it_is_and_can_be_stopped(projector: Projector):
    few_each = Projector(projector._architecture, chunk_logits=1)
    vectors = vectors_for(projector, 4 * few_each.chunk - 2)
    heard: list[float] = []
    few_each.measure(vectors, 3, heard.append)
    assert heard == [0, 0.25, 0.5, 0.75]

    def stop(part: float) -> None:
        if part >= 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        few_each.measure(vectors, 3, stop)
