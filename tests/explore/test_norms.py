"""What attention moves, against the formulas done naively, for every family in float64."""

from __future__ import annotations

import pytest
import torch
from specimens import MAKERS, TOKEN_IDS, Specimen, specimen
from torch import Tensor

from visit.explore.norms import norms_of_layer

EVERY = range(len(TOKEN_IDS))


@pytest.fixture(params=sorted(MAKERS))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def parts_of(tiny: Specimen, layer: int, head: int, reader: int) -> list[Tensor]:
    """What a head takes from each position, one product after another."""
    block, recorded = tiny.architecture.blocks[layer], tiny.trace.layers[layer]
    attention = block.attention
    gain = None if recorded.attn_gain is None else recorded.attn_gain[reader]
    found = []
    for source in EVERY:
        value = attention.value(recorded.ln1[source].double(), head)
        part = recorded.attention[head, reader, source].double() * value
        part = part @ attention.w_o[head].double()
        found.append(part if gain is None else part * gain.double())
    return found


def mixing(others: Tensor, own: Tensor) -> float:
    return float(others.norm() / (others.norm() + own.norm()))


def test_what_moves_and_mixes_is_the_formula_done_naively(tiny: Specimen):
    layer, reader = 1, len(TOKEN_IDS) - 2
    block, recorded = tiny.architecture.blocks[layer], tiny.trace.layers[layer]
    found = norms_of_layer(tiny.architecture, tiny.trace, layer, reader)
    heads = [parts_of(tiny, layer, head, reader) for head in range(tiny.architecture.sizes.n_heads)]
    own = [parts[reader] for parts in heads]
    others = [sum(part for s, part in enumerate(parts) if s != reader) for parts in heads]
    for head, parts in enumerate(heads):
        norms = torch.stack([part.norm() for part in parts[: reader + 1]])
        torch.testing.assert_close(found.moved[head], norms, rtol=1e-9, atol=1e-9)
        assert float(found.head_mixing[head]) == pytest.approx(mixing(others[head], own[head]))
    residual = recorded.resid_pre[reader].double()
    assert float(found.mixing[0, reader]) == pytest.approx(mixing(sum(others), sum(own)))
    with_residual = sum(own) + residual
    assert float(found.mixing[1, reader]) == pytest.approx(mixing(sum(others), with_residual))
    assert found.has_norm == (not block.parallel and block.ln2 is not None)
    if found.has_norm:
        whole = sum(others) + with_residual
        if block.attention.b_o is not None:
            bias = block.attention.b_o.double()
            gain = recorded.attn_gain
            whole = whole + (bias if gain is None else bias * gain[reader].double())
        centred = whole - whole.mean() if block.ln2.centers else whole
        spread = (centred.pow(2).mean() + block.ln2.epsilon).sqrt()

        def normed(part: Tensor) -> Tensor:
            part = part - part.mean() if block.ln2.centers else part
            return part / spread * block.ln2.gain.double()

        wanted = mixing(normed(sum(others)), normed(with_residual))
        assert float(found.mixing[2, reader]) == pytest.approx(wanted)


def test_what_all_heads_move_is_what_attention_writes(tiny: Specimen):
    """The parts, which the norms are of, add up to the ledger's whole."""
    layer, reader = 2, len(TOKEN_IDS) - 1
    recorded = tiny.trace.layers[layer]
    n_heads = tiny.architecture.sizes.n_heads
    whole = sum(sum(parts_of(tiny, layer, head, reader)) for head in range(n_heads))
    bias = tiny.architecture.blocks[layer].attention.b_o
    if bias is not None:
        gain = recorded.attn_gain
        whole = whole + (bias if gain is None else bias * gain[reader]).double()
    torch.testing.assert_close(whole, recorded.attn_out[reader].double(), rtol=1e-9, atol=1e-9)
