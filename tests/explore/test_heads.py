"""Head scores and compositions, against loops and dense matrices, and heads made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from planted import INDUCTION, PREVIOUS_TOKEN, planted
from specimens import MAKERS, Specimen, specimen
from torch import Tensor

from visit.attribution import circuits
from visit.explore.composition import SIDES, Factors, baseline, compose, factors_of
from visit.explore.composition_parts import (
    chance_of_parts,
    compose_parts,
    parts_of_heads,
    parts_of_product,
)
from visit.explore.head_circuits import circuits_of
from visit.explore.head_scores import marks, repeated_tokens, score_heads
from visit.graph.explored.heads import KINDS
from visit.models.architectures.base import Norm, Sizes
from visit.tracing.trace import record

IDS = [3, 14, 3, 9, 14, 14, 3, 26]


@pytest.fixture(params=sorted(MAKERS))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def looks_at(kind: str, reader: int) -> list[int]:
    """The sources of a kind, by its words."""
    same = [s for s in range(reader) if IDS[s] == IDS[reader]]
    return {
        "previous": [reader - 1] if reader else [],
        "duplicate": same,
        "induction": [s + 1 for s in same if s + 1 < reader],
        "sink": [0] if reader else [],
    }[kind]


def test_scores_are_the_part_of_attention_that_goes_where_such_a_head_looks():
    tiny = specimen("llama-gqa")  # of any family: a pattern is all that it takes
    trace = record(tiny.model, tiny.architecture, IDS)
    pattern = trace.layers[1].attention
    found = score_heads(pattern, marks(IDS))
    for place, kind in enumerate(KINDS):
        for head in range(len(pattern)):
            there = given = 0.0
            for reader in range(len(IDS)):
                sources = looks_at(kind, reader)
                if sources:
                    there += sum(float(pattern[head, reader, source]) for source in sources)
                    given += float(pattern[head, reader].sum())
            assert float(found[place, head]) == pytest.approx(there / given, abs=1e-9)


def test_a_kind_whose_source_no_reader_has_is_not_known():
    pattern = torch.full((2, 3, 3), 1 / 3).tril()
    scores = score_heads(pattern, marks([1, 2, 3]))
    assert [math.isnan(one) for one in scores[:, 0].tolist()] == [False, True, True, False]


def test_of_heads_made_by_hand_one_looks_back_and_one_induces():
    loaded = planted()
    # Each token once, then again: no more places than the model has.
    rows = [[0, 4, 7, 2, 0, 4, 7, 2], [5, 1, 9, 3, 5, 1, 9, 3]]
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for row in rows:
        trace = record(loaded.model, loaded.architecture, row)
        for layer in range(2):
            scores = score_heads(trace.layers[layer].attention, marks(row))
            for place, kind in enumerate(KINDS[:3]):
                found[kind] += [
                    f"L{layer}.head{head}"
                    for head in range(scores.shape[1])
                    if float(scores[place, head]) > 0.5
                ]
    assert found["previous"] == [PREVIOUS_TOKEN] * 2
    assert found["induction"] == [INDUCTION] * 2


def dense(
    tiny: Specimen, layer: int, head: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """A head's whole QK and OV circuits, gains folded in, ``d_model`` by ``d_model``."""
    block = tiny.architecture.blocks[layer]
    attention = block.attention
    n_heads = len(attention.w_q)
    w_q = attention.w_q[head].to(dtype)
    w_k, w_v = (
        circuits.repeat_kv_heads(w, n_heads)[head].to(dtype) for w in (attention.w_k, attention.w_v)
    )
    w_o = attention.w_o[head].to(dtype) * block.write_scale
    if block.attn_norm is not None:
        w_o = w_o * block.attn_norm.gain.to(dtype)
    if block.ln1 is not None:
        d_model = len(w_q)
        norm = torch.eye(d_model, dtype=dtype)
        if block.ln1.centers:
            norm = norm - torch.full((d_model, d_model), 1 / d_model, dtype=dtype)
        norm = norm * block.ln1.gain.to(dtype)
        w_q, w_k, w_v = (norm @ w for w in (w_q, w_k, w_v))
    return w_q @ w_k.T, w_v @ w_o


def test_composition_is_the_dense_formula(tiny: Specimen):
    found = compose(factors_of(tiny.architecture), lambda _: None)
    n_heads = tiny.architecture.sizes.n_heads
    for writer, reader in (((0, 1), (2, 3)), ((1, 0), (2, 0)), ((0, 2), (1, 1))):
        _, ov = dense(tiny, *writer)
        qk, later = dense(tiny, *reader)
        place = writer[0] * n_heads + writer[1], reader[0] * n_heads + reader[1]
        for side, other in zip(SIDES, (qk, qk.T, later), strict=True):
            wanted = float((ov @ other).norm() / (ov.norm() * other.norm()))
            assert float(found[side][place]) == pytest.approx(wanted, rel=2e-3)
            assert float(found[side][place[::-1]]) == 0.0


def test_parts_compose_as_the_dense_circuits_rank_one_parts_do(tiny: Specimen):
    """Every rank-1 part, as a matrix, in the formula for whole ones: with wholes, with parts."""
    sizes = tiny.architecture.sizes
    writer, reader = (0, 1), (2, 3)
    parts = parts_of_heads(tiny.architecture, [writer, reader], lambda _: None)
    _, ov = dense(tiny, *writer, torch.float64)
    qk, later = dense(tiny, *reader, torch.float64)
    written = rank_one_parts(ov)
    assert len(written) == sizes.d_head == len(parts[writer].ov.sizes)
    squares = torch.stack([part.norm() ** 2 for part in written])
    torch.testing.assert_close(parts[writer].ov.shares, squares / squares.sum())
    for side, other in zip(SIDES, (qk, qk.T, later), strict=True):
        found = compose_parts(parts[writer].ov, parts[reader].read_by(side))
        for n, part in enumerate(written):
            wanted = float((part @ other).norm() / (part.norm() * other.norm()))
            assert float(found.whole[n]) == pytest.approx(wanted, abs=1e-8)
            for m, read in enumerate(rank_one_parts(other)):
                wanted = float((part @ read).norm() / (part.norm() * read.norm()))
                assert float(found.cosines[n, m]) == pytest.approx(wanted, abs=1e-7)
        whole = float((ov @ other).norm() / (ov.norm() * other.norm()))
        made_up = (parts[writer].ov.shares @ found.whole.square()).sqrt()
        assert float(made_up) == pytest.approx(whole, abs=1e-10)


def rank_one_parts(circuit: Tensor) -> list[Tensor]:
    """A dense circuit's parts, those of size 0 left out."""
    u, sizes, v = torch.linalg.svd(circuit)
    kept = int((sizes > sizes[0] * 1e-9).sum())
    return [sizes[n] * torch.outer(u[:, n], v[n]) for n in range(kept)]


def test_a_channel_of_one_direction_stands_out_of_the_parts_and_not_of_the_whole():
    """Planted: a random writer's fifth part writes what a random reader's second part reads."""
    generator = torch.Generator().manual_seed(0)

    def draw() -> Tensor:
        return torch.randn(400, 20, generator=generator, dtype=torch.float64)

    written, read = (parts_of_product(draw(), draw()) for _ in range(2))
    reads = torch.cat([written.writes[:, 5:6], read.reads], 1)
    read = replace(read, reads=torch.linalg.qr(reads).Q[:, [1, 2, 0, *range(3, 20)]])
    found = compose_parts(written, read)
    whole = float((written.shares @ found.whole.square()).sqrt())
    alone, together = chance_of_parts(Sizes(1, 1, 1, 400, 20, 1, 1, 1), 0)
    assert int(found.whole.argmax()) == 5 and float(found.whole[5]) > 3 * alone
    assert float(found.whole[5]) > 2 * whole
    assert int(found.cosines[5].argmax()) == 2
    assert float(found.cosines[5, 2]) == pytest.approx(1) and together < 0.3
    others = [n for n in range(20) if n != 5]
    assert float(found.whole[others].max()) < 1.3 * alone


def test_chance_is_about_one_over_the_root_of_the_width():
    tiny = specimen("gpt2")
    sizes = tiny.architecture.sizes
    assert baseline(sizes, 0) == baseline(sizes, 0) != baseline(sizes, 1)
    assert baseline(sizes, 0) == pytest.approx(sizes.d_model**-0.5, rel=0.3)


def test_tokens_said_twice_are_the_same_for_the_same_seed():
    rows = repeated_tokens(range(100), 6, 3, 1)
    assert rows == repeated_tokens(range(100), 6, 3, 1) != repeated_tokens(range(100), 6, 3, 2)
    assert all(row[:6] == row[6:] and len(row) == 12 for row in rows)


def test_composition_is_made_on_the_device_that_the_weights_are_on():
    """On one that only has shapes: a tensor of another device beside it would be refused."""
    factors = factors_of(specimen("llama-gqa").architecture)
    away = Factors(
        factors.write.to("meta"),
        {side: read.to("meta") for side, read in factors.read.items()},
        {side: norms.to("meta") for side, norms in factors.norms.items()},
        factors.layers,
    )
    assert {found.device.type for found in compose(away, lambda _: None).values()} == {"meta"}


def test_a_circuit_looks_with_the_models_own_queries_and_keys(tiny: Specimen):
    """As the layer's norms make them, those of queries and keys among them."""
    ids = torch.arange(5)
    x = tiny.model.get_input_embeddings()(ids).float()
    for layer, block in enumerate(tiny.architecture.blocks):
        attention = block.attention
        normed = x if block.ln1 is None else block.ln1(x)
        queries = projected(normed, attention.w_q, attention.b_q, attention.q_norm)
        keys = projected(normed, attention.w_k, attention.b_k, attention.k_norm)
        for head, query in enumerate(queries):
            key = keys[head * len(keys) // len(queries)]
            scores = query @ key.T * attention.score_scale
            wanted = scores - scores.mean(1, keepdim=True)
            found = circuits_of(tiny.architecture, x, ids, layer, head, 1).scores
            torch.testing.assert_close(found, wanted.float(), atol=1e-4, rtol=1e-4)


def projected(x: Tensor, weight: Tensor, bias: Tensor | None, norm: Norm | None) -> list[Tensor]:
    """Each head's; a norm is of a head's own, or of all heads' side by side."""
    heads = [x @ w.float() for w in weight]
    if bias is not None:
        heads = [head + b for head, b in zip(heads, bias, strict=True)]
    if norm is None:
        return heads
    if len(norm.gain) == weight.shape[2]:
        return [norm(head) for head in heads]
    return list(norm(torch.cat(heads, -1)).split(weight.shape[2], -1))


def test_the_head_made_by_hand_copies_and_looks_for_what_it_should():
    """The induction head says, of each token, that very token."""
    loaded = planted()
    ids = torch.arange(11)
    embeddings = loaded.model.get_input_embeddings()(ids)
    found = circuits_of(loaded.architecture, embeddings, ids, 1, 2, 3)
    assert found.own_rank.tolist() == [1] * 11
    assert found.promoted[:, 0].tolist() == ids.tolist()
    torch.testing.assert_close(found.scores.mean(1), torch.zeros(11), atol=1e-4, rtol=0)
