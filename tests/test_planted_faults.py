"""The identities are worth something: each fault planted in an architecture breaks one of them.

GPT-2's matrices are square here, MLP included, so that no shape gives a transpose away.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import test_identities
import torch
from models import Specimen, specimen
from torch import Tensor

from visit import circuits
from visit.architectures import Architecture
from visit.architectures.base import Block, Norm

CHECKS = {
    name: check
    for name, check in vars(test_identities).items()
    if name.startswith("test_") and list(inspect.signature(check).parameters) == ["tiny"]
}


def broken(tiny: Specimen) -> list[str]:
    """The identities that do not hold."""
    failed = []
    for name, check in CHECKS.items():
        try:
            check(tiny)
        except AssertionError:
            failed.append(name)
    if not tiny.architecture.blocks[0].attention.rotary:
        try:
            test_identities.check_directions(tiny)
        except AssertionError:
            failed.append("check_directions")
    return failed


def with_blocks(tiny: Specimen, fault: Callable[[Block], Block]) -> Specimen:
    architecture: Architecture = tiny.architecture
    faulty = replace(architecture, blocks=tuple(map(fault, architecture.blocks)))
    return replace(tiny, architecture=faulty)


def transposed_by_head(weight: Tensor) -> Tensor:
    """``[head, d_model, d_head]`` as it comes out when the square matrix is read transposed."""
    square = weight.transpose(0, 1).flatten(1)
    return square.T.unflatten(1, (len(weight), -1)).transpose(0, 1)


def attention_fault(**change: Callable[[Any], Any]) -> Callable[[Block], Block]:
    def plant(block: Block) -> Block:
        changed = {name: f(getattr(block.attention, name)) for name, f in change.items()}
        return replace(block, attention=replace(block.attention, **changed))

    return plant


def mlp_fault(**change: Callable[[Any], Any]) -> Callable[[Block], Block]:
    def plant(block: Block) -> Block:
        changed = {name: f(getattr(block.mlp, name)) for name, f in change.items()}
        return replace(block, mlp=replace(block.mlp, **changed))

    return plant


def nothing(_: Any) -> None:
    return None


FAULTS = {
    "w_q transposed": attention_fault(w_q=transposed_by_head),
    "w_k transposed": attention_fault(w_k=transposed_by_head),
    "w_v transposed": attention_fault(w_v=transposed_by_head),
    "w_o transposed": attention_fault(w_o=lambda w: w.flatten(0, 1).T.unflatten(0, (len(w), -1))),
    "w_in transposed": mlp_fault(w_in=lambda w: w.T),
    "w_out transposed": mlp_fault(w_out=lambda w: w.T),
    "b_q missing": attention_fault(b_q=torch.zeros_like),
    "b_k missing": attention_fault(b_k=torch.zeros_like),
    "b_v missing": attention_fault(b_v=nothing),
    "b_o missing": attention_fault(b_o=nothing),
    "b_in missing": mlp_fault(b_in=nothing),
    "b_out missing": mlp_fault(b_out=nothing),
    "score scale left out": attention_fault(score_scale=lambda _: 1.0),
}


def test_the_square_model_without_a_fault_holds_every_identity():
    sizes = specimen("gpt2-square").architecture.sizes
    assert sizes.d_model == sizes.d_mlp == 30
    # Its sizes are not distinct, on purpose.
    assert broken(specimen("gpt2-square")) == [
        "test_the_tiny_models_have_the_sizes_that_were_asked_for"
    ]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str):
    faulty = with_blocks(specimen("gpt2-square"), FAULTS[fault])
    assert len(broken(faulty)) > 1, f"no identity notices: {fault}"


def test_kv_heads_repeated_in_the_wrong_order_are_caught(monkeypatch: pytest.MonkeyPatch):
    def tiled(per_kv_head: Tensor, n_heads: int) -> Tensor:
        return per_kv_head.repeat(n_heads // len(per_kv_head), *[1] * (per_kv_head.ndim - 1))

    assert broken(specimen("llama-gqa")) == []
    monkeypatch.setattr(circuits, "repeat_kv_heads", tiled)
    assert broken(specimen("llama-gqa")) == ["test_sources_add_up_to_each_head"]


def test_a_norm_whose_scale_is_not_frozen_is_caught(monkeypatch: pytest.MonkeyPatch):
    tiny = specimen("llama-gqa")
    frozen = Norm.scale
    monkeypatch.setattr(Norm, "scale", lambda norm, x: frozen(norm, x / 2))
    assert "test_direct_logits_of_all_that_was_written_add_up_to_the_logit" in broken(tiny)


@pytest.mark.parametrize("left_out", ["write_scale", "attn_norm", "logit_scale", "soft_cap"])
def test_a_multiplier_norm_or_cap_left_out_is_caught(left_out: str):
    from visit.trace import record

    tiny = specimen("granite" if left_out.endswith("scale") else "gemma2")
    architecture = tiny.architecture
    if left_out in ("logit_scale", "soft_cap"):
        plain = {"logit_scale": 1.0, "soft_cap": None}[left_out]
        architecture = replace(architecture, **{left_out: plain})
    else:
        plain = {"write_scale": 1.0, "attn_norm": None}[left_out]
        blocks = [replace(block, **{left_out: plain}) for block in architecture.blocks]
        architecture = replace(architecture, blocks=tuple(blocks))
    trace = record(tiny.model, architecture, test_identities.TOKEN_IDS)
    assert broken(Specimen(tiny.model, architecture, trace))
