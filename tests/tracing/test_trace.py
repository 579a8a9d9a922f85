"""Recording leaves the model as it was, whatever happens."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import pytest
import torch
import transformers
from specimens import MAKERS, TOKEN_IDS, specimen

from visit.errors import Cancelled, ModelError
from visit.models.architectures import FAMILIES, family_of, lay_open
from visit.tracing.hooks import LayerTrace
from visit.tracing.trace import record


def hooks_on(model: torch.nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_no_hook_is_left_behind():
    model = MAKERS["gpt2"]()
    record(model, lay_open(model), TOKEN_IDS)
    assert hooks_on(model) == 0


def test_a_cancelled_run_ends_early_and_leaves_no_hook_behind():
    tiny, seen = specimen("llama-gqa"), []
    hooks_before = hooks_on(tiny.model)  # transformers keeps some of its own

    def stop_after_one(done: int) -> None:
        seen.append(done)
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        record(tiny.model, tiny.architecture, TOKEN_IDS, on_layer=stop_after_one)
    assert seen == [1]
    assert hooks_on(tiny.model) == hooks_before
    again = record(tiny.model, tiny.architecture, TOKEN_IDS)
    assert torch.equal(again.logits, tiny.trace.logits)


def test_layers_are_counted_as_they_end():
    tiny, seen = specimen("gpt2"), []
    record(tiny.model, tiny.architecture, TOKEN_IDS, on_layer=seen.append)
    assert seen == [1, 2, 3]


def named_tensors(layer: LayerTrace) -> dict[str, torch.Tensor | None]:
    return {part.name: getattr(layer, part.name) for part in fields(layer)}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", MAKERS)
def test_a_layer_that_is_recorded_again_is_the_same_to_the_last_bit(name: str, dtype: torch.dtype):
    tiny = specimen(name, dtype)
    hooks_before = hooks_on(tiny.model)
    lean = record(tiny.model, tiny.architecture, TOKEN_IDS, kept_bytes=0)
    assert tiny.trace.layers.kept
    assert not lean.layers.kept
    for again, kept in zip(reversed(lean.layers), reversed(tiny.trace.layers), strict=True):
        assert again is not kept
        for part, value in named_tensors(kept).items():
            recorded = getattr(again, part)
            assert (recorded is None) == (value is None), part
            assert value is None or torch.equal(recorded, value), part
    for part in ("logits", "final_norm", "written"):
        assert torch.equal(getattr(lean, part), getattr(tiny.trace, part)), part
    assert hooks_on(tiny.model) == hooks_before


@pytest.mark.parametrize("name", MAKERS)
def test_the_residuals_of_a_trace_are_its_layers_own(name: str):
    trace = specimen(name).trace
    assert len(trace.residuals) == len(trace.layers) + 1
    for number, layer in enumerate(trace.layers):
        assert torch.equal(trace.residuals[number], layer.resid_pre)
        assert torch.equal(trace.residuals[number + 1], layer.resid_post)


def test_a_long_prompts_trace_holds_one_layer_at_a_time():
    tiny = specimen("gpt2")
    lean = record(tiny.model, tiny.architecture, TOKEN_IDS, kept_bytes=0)
    first = lean.layers[0]
    assert lean.layers[0] is first
    with_one_layer = lean.n_bytes
    assert with_one_layer < tiny.trace.n_bytes
    assert lean.layers[-1] is lean.layers[2]
    assert lean.layers[0] is not first
    assert lean.n_bytes == with_one_layer
    assert len(lean.layers[1:]) == 2


def test_what_a_trace_shares_with_itself_is_counted_once():
    trace = specimen("gpt2").trace
    tensors = [tensor for layer in trace.layers for tensor in layer.tensors]
    rest = trace.written.nbytes + trace.final_norm.nbytes + trace.logits.nbytes
    assert rest < trace.n_bytes < rest + sum(tensor.nbytes for tensor in tensors)


def test_a_model_that_hides_its_attention_is_refused():
    model = MAKERS["gpt2"]()
    model.set_attn_implementation("sdpa")
    with pytest.raises(ValueError, match="attn_implementation='eager'"):
        record(model, lay_open(model), TOKEN_IDS)


def test_an_unknown_family_is_refused_with_the_supported_ones():
    stranger = SimpleNamespace(config=SimpleNamespace(model_type="mamba"))
    with pytest.raises(
        ModelError, match="'mamba' are not supported; give one of type bloom, falcon"
    ):
        lay_open(stranger)


def test_a_type_that_many_ask_for_is_refused_with_the_reason():
    with pytest.raises(ModelError, match=r"'gpt_oss' are not supported \(its attention .* sink"):
        family_of("gpt_oss")


def test_an_olmoe_that_clips_its_queries_is_refused():
    model = MAKERS["olmoe"]()
    model.config.clip_qkv = 8.0
    with pytest.raises(ModelError, match="clip_qkv"):
        lay_open(model)


def test_every_family_is_found_by_each_of_its_types():
    for family in FAMILIES:
        for model_type in family.model_types:
            assert family_of(model_type) is family


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("OPT", {"do_layer_norm_before": False}, "OPT models that norm after .* give another size"),
        ("OPT", {"word_embed_proj_dim": 20, "hidden_size": 40}, "project their embeddings"),
        ("StableLm", {"qk_layernorm": True}, "a norm for each head's queries and keys"),
        (
            "Bloom",
            {"apply_residual_connection_post_layernorm": True},
            "BLOOM models that add the normed residual",
        ),
    ],
)
def test_what_a_family_cannot_do_is_refused_with_the_reason(name: str, options: dict, message: str):
    config = getattr(transformers, f"{name}Config")(**SMALL[name], **options)
    if name == "StableLm":  # transformers 4 cannot make it, but can load one
        model = SimpleNamespace(config=config, parameters=lambda: ())
    else:
        model = getattr(transformers, f"{name}ForCausalLM")(config)
    with pytest.raises(ModelError, match=message):
        lay_open(model)


SMALL = {
    "OPT": {"num_attention_heads": 4, "num_hidden_layers": 1, "vocab_size": 61, "ffn_dim": 40},
    "StableLm": {
        "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 61,
        "num_hidden_layers": 1, "intermediate_size": 40,
    },
    "Bloom": {"hidden_size": 32, "n_layer": 1, "n_head": 4, "vocab_size": 61},
}  # fmt: skip
