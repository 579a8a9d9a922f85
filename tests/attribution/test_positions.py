"""Position ledgers add up however they are cut into blocks, and no block is too large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from specimens import TOKEN_IDS, Numbered, specimen
from torch.utils._python_dispatch import TorchDispatchMode

from visit.assemble import Builder
from visit.attribution.metric import Metric, metric_direction
from visit.attribution.positions import PositionLedgers, position_ledgers
from visit.attribution.projections import values_by_source
from visit.errors import Cancelled
from visit.formats.document import json_from_flow
from visit.graph.flow import ModelInfo
from visit.graph.metric import MetricKind
from visit.graph.request import Request
from visit.lens.projector import Projector
from visit.lens.readings import Reader
from visit.tracing.trace import Trace, record

EVERY_READER = range(len(TOKEN_IDS))
FAMILIES = ("gpt2", "llama-gqa", "gemma2", "mistral", "granite", "falcon-40b")


def ledgers(name: str, layer: int, block_elements: int) -> PositionLedgers:
    tiny = specimen(name)
    direction = metric_direction(
        tiny.architecture, tiny.trace.residuals[-1][-1], Metric(MetricKind.LOGIT, 5)
    )
    values = values_by_source(tiny.architecture, tiny.trace, layer)
    return position_ledgers(
        tiny.architecture, tiny.trace, layer, EVERY_READER, values, direction,
        gradient(name),
        block_elements=block_elements,
    )  # fmt: skip


def gradient(name: str) -> torch.Tensor:
    """Any: one for each reader."""
    return specimen(name).trace.residuals[1].flip(0)


@pytest.mark.parametrize("block_elements", [1, 200, 500, 1 << 20])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_lines_of_every_reader_add_up_whatever_the_blocks(name: str, block_elements: int):
    for layer, recorded in enumerate(specimen(name).trace.layers):
        taken = ledgers(name, layer, block_elements)
        torch.testing.assert_close(taken.sums, recorded.attn_out, rtol=1e-10, atol=1e-10)
        ones = torch.ones(len(TOKEN_IDS), dtype=torch.float64)
        torch.testing.assert_close(taken.share.sum(1), ones, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(taken.proximity.sum(1), ones, rtol=1e-10, atol=1e-10)
        flow = (recorded.attn_out * gradient(name)).sum(1)
        torch.testing.assert_close(taken.flow.sum(1), flow, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", FAMILIES)
def test_no_line_depends_on_the_blocks_beyond_rounding(name: str):
    whole, cut = ledgers(name, 1, 1 << 20), ledgers(name, 1, 1)
    for part in PositionLedgers.__slots__:
        torch.testing.assert_close(getattr(cut, part), getattr(whole, part), rtol=1e-12, atol=1e-12)


class Largest(TorchDispatchMode):
    """Notes how many numbers the largest new tensor holds."""

    def __init__(self) -> None:
        super().__init__()
        self.n_elements = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        given = {arg.untyped_storage().data_ptr() for arg in args if isinstance(arg, torch.Tensor)}
        if isinstance(made, torch.Tensor) and made.untyped_storage().data_ptr() not in given:
            self.n_elements = max(self.n_elements, made.numel())
        return made


def test_no_tensor_of_readers_times_sources_times_d_model_is_made():
    readers_sources_width = len(TOKEN_IDS) ** 2 * 36
    with Largest() as largest:
        ledgers("llama-gqa", 1, 1 << 20)
    assert largest.n_elements >= readers_sources_width  # where a block may be as large
    tiny = specimen("llama-gqa")
    values = values_by_source(tiny.architecture, tiny.trace, 1)
    direction = torch.ones(36, dtype=torch.float64)
    with Largest() as largest:
        position_ledgers(
            tiny.architecture, tiny.trace, 1, EVERY_READER, values, direction,
            tiny.trace.residuals[1], block_elements=280,
        )  # fmt: skip
    assert largest.n_elements <= 280  # as many as the measured numbers


def built(name: str, trace: Trace, tell: Callable[[str, float], None] = lambda *_: None) -> str:
    tiny = specimen(name)
    sizes = tiny.architecture.sizes
    model = ModelInfo(
        name, tiny.architecture.family, "float64", "0" * 64, sizes.n_layers, sizes.n_heads,
        sizes.n_kv_heads, sizes.d_model, sizes.d_head, sizes.d_mlp, sizes.d_vocab,
    )  # fmt: skip
    tokens = Numbered()
    reader = Reader(Projector(tiny.architecture), tokens)
    builder = Builder(tiny.architecture, tokens, reader, model)
    return json_from_flow(builder.whole(trace, Request("x", threshold=0.001), tell))


@pytest.mark.parametrize("name", [*FAMILIES, "gpt-neox-parallel", "qwen2-moe"])
def test_a_long_prompts_document_is_that_of_a_kept_trace_to_the_last_byte(name: str):
    """A layer that is recorded again is the same in every model (tests/tracing/test_trace.py)."""
    tiny = specimen(name)
    lean = record(tiny.model, tiny.architecture, TOKEN_IDS, kept_bytes=0)
    assert built(name, lean) == built(name, tiny.trace)


def test_a_long_ledger_can_be_cancelled_within_a_layer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("visit.assemble.route._LEDGER_ELEMENTS", 1)
    heard: list[float] = []

    def tell(stage: str, part: float) -> None:
        heard.append(part)
        if 1 / 3 < part < 2 / 3:  # between two of the three layers' ends
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        built("gpt2", specimen("gpt2").trace, tell)
    assert heard == sorted(heard)
