"""The identities catch faults: each one planted in an architecture breaks at least one of them.

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
from specimens import Specimen, specimen
from torch import Tensor

from visit.attribution import circuits
from visit.models.architectures import Architecture
from visit.models.architectures.base import Block, Norm
from visit.tracing.trace import record

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


def expert_fault(**change: Callable[[Tensor], Tensor]) -> Callable[[Block], Block]:
    """The same fault in every expert of every mixture."""

    def plant(block: Block) -> Block:
        experts = tuple(
            replace(expert, **{name: f(getattr(expert, name)) for name, f in change.items()})
            for expert in block.mlp.experts
        )
        return replace(block, mlp=replace(block.mlp, experts=experts))

    return plant


def without_shared_expert(block: Block) -> Block:
    return replace(block, mlp=replace(block.mlp, shared=None))


def shared_expert_not_gated(block: Block) -> Block:
    half = replace(block.mlp.shared, gate=torch.zeros_like(block.mlp.shared.gate))
    return replace(block, mlp=replace(block.mlp, shared=half))


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
    assert "test_direct_logits_of_all_that_was_written_add_up_to_the_metric" in broken(tiny)


@pytest.mark.parametrize("fault", [mlp_fault(w_up=nothing), mlp_fault(w_up=lambda w: w.flip(1))])
def test_an_up_projection_missing_or_misread_is_caught(fault: Callable[[Block], Block]):
    assert broken(with_blocks(specimen("llama-gqa"), fault)) == [
        "test_memories_activate_as_the_models_own"
    ]


@pytest.mark.parametrize("left_out", ["write_scale", "attn_norm", "logit_scale", "soft_cap"])
def test_a_multiplier_norm_or_cap_left_out_is_caught(left_out: str):
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


ADD_UP = "test_experts_and_the_shared_one_add_up_to_the_mixture"


def test_the_square_mixture_without_a_fault_holds_every_identity():
    sizes = specimen("mixtral-square").architecture.sizes
    assert sizes.d_model == sizes.d_mlp == 48
    assert broken(specimen("mixtral-square")) == [
        "test_the_tiny_models_have_the_sizes_that_were_asked_for"
    ]


@pytest.mark.parametrize("weight", ["w_gate", "w_up", "w_down"])
def test_a_wrong_transpose_in_an_expert_is_caught(weight: str):
    fault = expert_fault(**{weight: lambda w: w.T})
    assert ADD_UP in broken(with_blocks(specimen("mixtral-square"), fault))


def test_gate_and_up_of_an_expert_taken_for_one_another_are_caught():
    def swap(block: Block) -> Block:
        experts = tuple(replace(e, w_gate=e.w_up, w_up=e.w_gate) for e in block.mlp.experts)
        return replace(block, mlp=replace(block.mlp, experts=experts))

    assert ADD_UP in broken(with_blocks(specimen("mixtral"), swap))


@pytest.mark.parametrize("fault", [without_shared_expert, shared_expert_not_gated])
def test_a_shared_expert_forgotten_or_misweighed_is_caught(fault: Callable[[Block], Block]):
    assert broken(specimen("qwen2-moe")) == []
    assert broken(with_blocks(specimen("qwen2-moe"), fault)) == [ADD_UP]


WRONG_ROUTINGS = {
    "weights in another order than the experts": lambda weight, routed: (weight.flip(-1), routed),
    "the experts' neighbours": lambda weight, routed: (weight, (routed + 1) % 5),
    "renormalised though it is not": lambda weight, routed: (
        weight / weight.sum(-1, keepdim=True),
        routed,
    ),
}


@pytest.mark.parametrize("fault", WRONG_ROUTINGS)
def test_a_wrong_routing_is_caught(fault: str):
    tiny = specimen("olmoe")

    def misread(block: Block) -> Block:
        own = block.mlp.routing
        return replace(
            block, mlp=replace(block.mlp, routing=lambda said: WRONG_ROUTINGS[fault](*own(said)))
        )

    faulty = with_blocks(tiny, misread)
    trace = record(tiny.model, faulty.architecture, test_identities.TOKEN_IDS)
    assert broken(replace(faulty, trace=trace)) == [
        ADD_UP,
        "test_each_position_is_routed_to_the_experts_that_its_router_gives_most",
    ]
