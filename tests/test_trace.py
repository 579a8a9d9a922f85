"""Recording leaves the model as it was, whatever happens."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import transformers
from models import MAKERS, TOKEN_IDS, specimen

from visit.architectures import FAMILIES, family_of, lay_open
from visit.errors import Cancelled, ModelError
from visit.trace import record


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
