"""Prompts of any lengths that run together give each the numbers that it has alone."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from specimens import RUN_TOGETHER, Specimen, specimen
from torch import Tensor

from visit.models.architectures.base import Block
from visit.tracing.hooks import run_like
from visit.tracing.padded import HeldMemories, Padded, PaddedLayer, run_padded
from visit.tracing.trace import record

PROMPTS = ((3, 14, 15, 9, 26, 5), (35, 8, 9), (2,), (2, 3, 14, 15, 4, 4, 21, 6, 7))


def equal(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def run(tiny: Specimen, **named: object) -> tuple[Tensor, list[PaddedLayer]]:
    layers: list[PaddedLayer] = []

    def take(number: int, block: Block, layer: PaddedLayer) -> None:
        assert number == len(layers)
        layers.append(layer)

    prompts = Padded.of(PROMPTS, tiny.architecture.unembedding.device)
    return run_padded(tiny.model, tiny.architecture, prompts, take, **named), layers


@pytest.mark.parametrize("name", RUN_TOGETHER)
def test_every_prompt_has_what_it_has_alone(name: str):
    tiny = specimen(name)
    logits, layers = run(tiny)
    for row, ids in enumerate(PROMPTS):
        alone, n = record(tiny.model, tiny.architecture, ids), len(ids)
        equal(logits[row], alone.logits[-1])
        for ours, theirs in zip(layers, alone.layers, strict=True):
            equal(ours.attention[row, :, :n, :n], theirs.attention)
            for part in {one.name for one in fields(PaddedLayer)} - {"attention"}:
                value, expected = getattr(ours, part), getattr(theirs, part)
                assert (value is None) == (expected is None)
                if value is not None:
                    equal(value[row, :n], expected)


@pytest.mark.parametrize("name", RUN_TOGETHER)
def test_prompts_filled_up_on_the_left_say_the_same(name: str):
    """Hugging Face's own way: filled up on the left, with a mask and positions."""
    tiny = specimen(name)
    ours, _ = run(tiny)
    width = max(map(len, PROMPTS))
    ids = torch.tensor([[0] * (width - len(one)) + list(one) for one in PROMPTS])
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in PROMPTS])
    named = {"position_ids": (mask.cumsum(-1) - 1).clamp_min(0)} if name not in ("bloom",) else {}
    with run_like(tiny.architecture.unembedding):
        theirs = tiny.model(input_ids=ids, attention_mask=mask, use_cache=False, **named).logits
    equal(ours, theirs[:, -1].to(ours))


def test_the_last_row_is_each_prompts_own():
    prompts = Padded.of(PROMPTS, torch.device("cpu"))
    places = torch.arange(9.0).expand(4, 9).unsqueeze(-1)
    assert prompts.last(places).squeeze(-1).tolist() == [5, 2, 0, 8]
    assert prompts.is_own().sum(-1).tolist() == [6, 3, 1, 9]


@pytest.mark.parametrize("name", ["gpt2", "llama-gqa", "gemma2"])
def test_held_memories_do_what_a_hook_of_ones_own_does(name: str):
    tiny = specimen(name)
    held = HeldMemories(torch.tensor([1, 4]), torch.tensor([0.0, 0.7], dtype=torch.float64))
    ours, _ = run(tiny, held={1: held})

    def own(module: object, given: tuple[Tensor]) -> tuple[Tensor]:
        changed = given[0].clone()
        changed[..., 1], changed[..., 4] = 0.0, 0.7
        return (changed,)

    hook = tiny.architecture.blocks[1].mlp.output.register_forward_pre_hook(own)
    try:
        for row, ids in enumerate(PROMPTS):
            with run_like(ours):
                alone = tiny.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
            equal(ours[row], alone)
    finally:
        hook.remove()
    assert not torch.allclose(ours, run(tiny)[0])
