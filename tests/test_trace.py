"""Recording leaves the model as it was, whatever happens."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from models import MAKERS, TOKEN_IDS, specimen

from visit.architectures import families, family_of, lay_open
from visit.errors import Cancelled, ModelError
from visit.trace import record


def hooks_on(model: torch.nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_no_hook_is_left_behind():
    assert hooks_on(specimen("gpt2").model) == 0


def test_a_cancelled_run_ends_early_and_leaves_no_hook_behind():
    tiny, seen = specimen("llama-gqa"), []

    def stop_after_one(done: int) -> None:
        seen.append(done)
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        record(tiny.model, tiny.architecture, TOKEN_IDS, on_layer=stop_after_one)
    assert seen == [1]
    assert hooks_on(tiny.model) == 0
    again = record(tiny.model, tiny.architecture, TOKEN_IDS)
    assert torch.equal(again.logits, tiny.trace.logits)


def test_layers_are_counted_as_they_end():
    tiny, seen = specimen("gpt2"), []
    record(tiny.model, tiny.architecture, TOKEN_IDS, on_layer=seen.append)
    assert seen == [1, 2, 3]


def test_a_model_that_hides_its_attention_is_refused():
    model = MAKERS["gpt2"]()
    model.set_attn_implementation("sdpa")
    with pytest.raises(ValueError, match="attn_implementation='eager'"):
        record(model, lay_open(model), TOKEN_IDS)


def test_an_unknown_family_is_refused_with_the_supported_ones():
    stranger = SimpleNamespace(config=SimpleNamespace(model_type="mamba"))
    with pytest.raises(ModelError, match="'mamba' are not supported; give one of type gpt2, llama"):
        lay_open(stranger)


def test_every_family_is_found_by_each_of_its_types():
    assert set(families()) == {"GPT-2", "Llama"}
    for model_type in ("llama", "mistral", "qwen2"):
        assert family_of(model_type).name == "Llama"
