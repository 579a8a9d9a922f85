"""A GGUF file gives the numbers of the same weights as a Hugging Face folder, or is refused.

A key that is passed over is another model in silence, so every key that llama.cpp knows is put
into a file of every architecture: it changes the config, or nothing by its nature, or is refused.
"""

from __future__ import annotations

from functools import cache
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf.constants import Keys
from gguf_files import ARCHITECTURES, write_gguf
from specimens import MAKERS, NO_HEAD_DIM, TOKEN_IDS, _like_llama
from torch import Tensor
from transformers import AutoModelForCausalLM

from visit.errors import ModelError
from visit.models.gguf.families import ARCHITECTURES as READ
from visit.models.gguf.families import config_of
from visit.models.gguf.header import Header, read_header
from visit.models.gguf.said import Said
from visit.models.loading import load

MODELS = {
    **{name: MAKERS[name] for name in (
        "bloom", "falcon-7b", "falcon-40b", "falcon-11b", "gpt2", "gpt2-square", "llama-gqa",
        "llama-mha", "llama-biases", "qwen2", "qwen3", "stablelm", "stablelm-parallel",
        "starcoder2", "qwen2-moe", "qwen3-moe",
    )},
    "gemma2": lambda: _like_llama(
        "Gemma2", 2, sliding_window=4, query_pre_attn_scalar=8, attn_logit_softcapping=7.0,
        final_logit_softcapping=5.0, tie_word_embeddings=True,
    ),
    "gemma3": lambda: _like_llama(
        "Gemma3Text", 2, sliding_window=4, query_pre_attn_scalar=8, num_hidden_layers=7,
        tie_word_embeddings=True,
    ),
    "llama-tied": lambda: _like_llama(
        "Llama", 2, tie_word_embeddings=True, rope_theta=777.0, rms_norm_eps=1e-3
    ),
    "phi3": lambda: _like_llama(
        "Phi3", 2, **NO_HEAD_DIM, hidden_size=48, rope_theta=555.0, sliding_window=4
    ),
    "phi3-in-part": lambda: _like_llama(
        "Phi3", 2, **NO_HEAD_DIM, hidden_size=48, partial_rotary_factor=0.5
    ),
    "stablelm-in-part": lambda: _like_llama(
        "StableLm", 2, **NO_HEAD_DIM, hidden_size=48, partial_rotary_factor=0.5, rope_theta=99.0
    ),
    "starcoder2-other-base": lambda: _like_llama(
        "Starcoder2", 2, **NO_HEAD_DIM, hidden_size=48, rope_theta=999.0, norm_epsilon=1e-3,
        sliding_window=4,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Saves a model once; its folder."""

    @cache
    def save(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        _save(MODELS[name](), folder)
        return folder

    return save


def _save(model: Any, folder: Path) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            # Sixteenths: a norm's gain with one added and taken off again is what it was.
            weight.copy_((5 * torch.randn(weight.shape, generator=generator)).round() / 16)
    model.save_pretrained(folder)


def logits_of(model: Any) -> Tensor:
    with torch.inference_mode():
        return model(input_ids=torch.tensor([TOKEN_IDS])).logits


def logits_of_folder(folder: Path) -> Tensor:
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float64, attn_implementation="eager"
    ).eval()
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")  # the others know no float64
    return logits_of(model)


def same_numbers(folder: Path, file: Path, tolerance: float = 1e-10) -> None:
    loaded = load(str(file), dtype="float64")
    torch.testing.assert_close(
        logits_of(loaded.model), logits_of_folder(folder), rtol=tolerance, atol=tolerance
    )


def config_at(folder: Path) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_file_gives_the_numbers_of_the_same_weights_as_a_folder(
    name: str, saved: Any, tmp_path: Path
):
    folder = saved(name)
    same_numbers(folder, write_gguf(folder, tmp_path / "model.gguf", config_at(folder)))


def test_every_architecture_that_is_read_is_tried():
    assert {ARCHITECTURES[MODELS[name]().config.model_type] for name in MODELS} == set(READ)


# ---------------------------------------------------------------- rotary scaling


def _with_scaling(folder: Path, made: str, scaling: Any, **options: Any) -> Path:
    """A folder like one of the above whose positions are scaled."""
    _save(_like_llama(made, 2, rope_scaling=scaling, **options), folder)
    return folder


LINEAR = {"rope_type": "linear", "factor": 3.0}
YARN = {
    "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "beta_fast": 16.0,
    "beta_slow": 2.0, "attention_factor": 1.5 * (0.1 * log(4.0) + 1.0),
}  # fmt: skip


@pytest.mark.parametrize("key", ["rope.scaling.factor", "rope.scale_linear"])
def test_a_linear_scaling_of_positions_is_honoured(key: str, tmp_path: Path):
    folder = _with_scaling(tmp_path / "folder", "Llama", LINEAR)
    said = {f"llama.{key}": 3.0, "llama.rope.scaling.type": "linear"}
    same_numbers(folder, write_gguf(folder, tmp_path / "m.gguf", config_at(folder), said))


def test_a_factor_without_a_type_is_linear_and_one_of_type_none_is_idle(tmp_path: Path):
    folder = _with_scaling(tmp_path / "folder", "Llama", LINEAR)
    said = {"llama.rope.scaling.factor": 3.0}
    same_numbers(folder, write_gguf(folder, tmp_path / "m.gguf", config_at(folder), said))
    plain = _with_scaling(tmp_path / "plain", "Llama", None)
    said = {"llama.rope.scaling.factor": 3.0, "llama.rope.scaling.type": "none"}
    same_numbers(plain, write_gguf(plain, tmp_path / "n.gguf", config_at(plain), said))


@pytest.mark.parametrize("made", ["Llama", "Qwen2"])
def test_yarn_is_honoured(made: str, tmp_path: Path):
    folder = _with_scaling(tmp_path / "folder", made, YARN)
    own = made.lower()
    said = {
        f"{own}.rope.scaling.type": "yarn",
        f"{own}.rope.scaling.factor": 4.0,
        f"{own}.rope.scaling.original_context_length": 8,
        f"{own}.rope.scaling.yarn_beta_fast": 16.0,
        f"{own}.rope.scaling.yarn_beta_slow": 2.0,
        f"{own}.rope.scaling.attn_factor": 1.5,
    }
    same_numbers(folder, write_gguf(folder, tmp_path / "m.gguf", config_at(folder), said))


def test_llama_3s_factors_of_frequencies_are_honoured(tmp_path: Path):
    """``rope_freqs.weight``, as every file of Llama 3.1 and later has it."""
    scaling = {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }  # fmt: skip
    folder = _with_scaling(tmp_path / "folder", "Llama", scaling)
    config = config_at(folder)
    factors = _factors_of_llama_3(scaling, config.head_dim)
    assert min(factors) == 1 and max(factors) == 8 and len(set(factors.tolist())) == 3
    file = write_gguf(
        folder, tmp_path / "m.gguf", config, tensors={"rope_freqs.weight": factors.float()}
    )
    same_numbers(folder, file, 1e-5)  # the factors are float32's


def _factors_of_llama_3(scaling: dict[str, Any], d_head: int) -> Tensor:
    """As ``convert_hf_to_gguf.py`` has it."""
    frequencies = 1.0 / 10000.0 ** (torch.arange(0, d_head, 2).double() / d_head)
    original = scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    factors = []
    for wavelength in (2 * torch.pi / frequencies).tolist():
        if wavelength < original / high:
            factors.append(1.0)
        elif wavelength > original / low:
            factors.append(scaling["factor"])
        else:
            smooth = (original / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return torch.tensor(factors)


def test_phi_3s_factors_for_short_and_long_prompts_are_honoured(tmp_path: Path):
    short, long = [1.0, 1.5, 2.0, 3.0], [1.0, 4.0, 9.0, 16.0]
    folder = tmp_path / "folder"
    for original in (4, 16):  # the prompt has seven tokens: more than four, fewer than sixteen
        scaling = {"type": "longrope", "short_factor": short, "long_factor": long}
        model = _like_llama(
            "Phi3", 2, **NO_HEAD_DIM, hidden_size=48, rope_scaling=scaling,
            original_max_position_embeddings=original,
        )  # fmt: skip
        _save(model, folder)
        scale = 23 / original
        attention = (1 + torch.log(torch.tensor(scale)) / torch.log(torch.tensor(original))) ** 0.5
        file = write_gguf(
            folder, tmp_path / f"{original}.gguf", config_at(folder),
            {"phi3.rope.scaling.original_context_length": original,
             "phi3.rope.scaling.attn_factor": float(attention)},
            {"rope_factors_short.weight": torch.tensor(short),
             "rope_factors_long.weight": torch.tensor(long)},
        )  # fmt: skip
        same_numbers(folder, file, 1e-5)


def test_gemma_3_scales_the_positions_of_its_whole_layers_alone(tmp_path: Path):
    folder = tmp_path / "folder"
    _save(
        _like_llama(
            "Gemma3Text", 2, sliding_window=4, query_pre_attn_scalar=8, num_hidden_layers=7,
            tie_word_embeddings=True, rope_scaling={"rope_type": "linear", "factor": 8.0},
            rope_theta=1e6, rope_local_base_freq=123.0,
        ),
        folder,
    )  # fmt: skip
    said = {
        "gemma3.rope.scaling.type": "linear",
        "gemma3.rope.scaling.factor": 8.0,
        "gemma3.rope.freq_base_swa": 123.0,
    }
    same_numbers(folder, write_gguf(folder, tmp_path / "m.gguf", config_at(folder), said))


def test_factors_and_a_scaling_at_once_are_refused(saved: Any, tmp_path: Path):
    folder, factors = saved("llama-gqa"), {"rope_freqs.weight": torch.ones(4)}
    said = {"llama.rope.scaling.factor": 4.0}
    file = write_gguf(folder, tmp_path / "m.gguf", config_at(folder), said, factors)
    with pytest.raises(ModelError, match=r"its llama.rope.scaling.factor is 4.0, which visit does"):
        load(str(file))


def test_gemma_2_scales_its_scores_as_the_file_says(tmp_path: Path):
    folder = tmp_path / "folder"
    _save(_like_llama("Gemma2", 2, query_pre_attn_scalar=16, tie_word_embeddings=True), folder)
    said = {"gemma2.attention.scale": 0.25}
    same_numbers(folder, write_gguf(folder, tmp_path / "m.gguf", config_at(folder), said))


# ---------------------------------------------------------------- all keys

SAYS_NOTHING = {
    "rope.scaling.finetuned",  # who scaled, and not how
    "rope.scaling.original_context_length",  # of use to yarn alone, which has a test of its own
    "context_length",  # Bloom's positions need no number
}
"""What changes no number of a short prompt, whatever it is."""
ONE_OF_EACH = {
    "bloom": "bloom", "falcon": "falcon-40b", "gemma2": "gemma2", "gemma3": "gemma3",
    "gpt2": "gpt2", "llama": "llama-gqa", "phi3": "phi3", "qwen2": "qwen2", "qwen2moe": "qwen2-moe",
    "qwen3": "qwen3", "qwen3moe": "qwen3-moe", "stablelm": "stablelm", "starcoder2": "starcoder2",
}  # fmt: skip


def all_keys() -> list[str]:
    """Every key of llama.cpp's, less what a file is called and by whom it was made."""
    sections = [section for section in vars(Keys).values() if isinstance(section, type)]
    found = [
        key
        for section in sections
        if section not in (Keys.General, Keys.Tokenizer)
        for key in vars(section).values()
        if isinstance(key, str) and re_is_key(key)
    ]
    return [*found, "{arch}.rope.scale_linear", "general.type", "{arch}.of_tomorrow", "tomorrow.x"]


def re_is_key(text: str) -> bool:
    return "." in text and " " not in text and not text.startswith("gguf")


ODD_VALUES = (11, 0.4375, True, False, "odd", [3, 1, 2])
"""Values that no model here has, of every type that a key may be of."""


@pytest.mark.parametrize("architecture", sorted(ONE_OF_EACH))
def test_every_key_is_honoured_or_refused_by_name(architecture: str, saved: Any, tmp_path: Path):
    assert set(ONE_OF_EACH) == set(READ)
    folder = saved(ONE_OF_EACH[architecture])
    file = write_gguf(folder, tmp_path / "m.gguf", config_at(folder))
    header = read_header(file)
    own = {k: v for k, v in header.metadata.items() if not k.startswith("tokenizer.")}
    plain = config_of(Said(Header(own, header.tensors)))
    silent = []
    for template in all_keys():
        key = template.format(arch=architecture, id=0, dense="dense", name="x")
        if key == "general.architecture":
            continue
        for value in ODD_VALUES:
            if own.get(key) == value and type(own.get(key)) is type(value):
                continue
            try:
                config = config_of(Said(Header({**own, key: value}, header.tensors)))
            except ModelError as error:
                # Or by one that it contradicts: a width by the size of heads.
                named = [key, *own] if key in own else [key]
                assert any(f"its {one} is " in str(error) for one in named), (key, str(error))
                assert "\n" not in str(error)
                continue
            if config == plain and not _is_default(key, value):
                silent.append((key, value))
    allowed = {f"{architecture}.{key}" for key in SAYS_NOTHING}
    assert [pair for pair in silent if pair[0] not in allowed] == []


def _is_default(key: str, value: Any) -> bool:
    """Whether a value says what holds anyway."""
    idle = {"attention.causal": True, "expert_weights_norm": not key.startswith("qwen2")}
    return idle.get(key.partition(".")[2]) is value


def test_a_tensor_without_a_place_is_refused_by_name(saved: Any, tmp_path: Path):
    for name in ("llama-gqa", "gpt2"):
        folder = saved(name)
        for odd in ("blk.1.attn_q_norm.weight", "blk.0.attn_q.scale", "altup_proj.weight"):
            file = write_gguf(
                folder, tmp_path / "m.gguf", config_at(folder), tensors={odd: torch.ones(3)}
            )
            with pytest.raises(ModelError, match=f"its tensor {odd} has no place in a model of"):
                load(str(file))


def test_factors_of_frequencies_are_refused_where_nothing_turns(saved: Any, tmp_path: Path):
    folder, factors = saved("gpt2"), {"rope_freqs.weight": torch.ones(3)}
    file = write_gguf(folder, tmp_path / "m.gguf", config_at(folder), tensors=factors)
    with pytest.raises(ModelError, match=r"its tensor rope_freqs.weight has no place"):
        load(str(file))


def test_other_architectures_are_refused_with_those_that_are_read(tmp_path: Path):
    with pytest.raises(ModelError, match="architecture 'mamba' are not read; give one of bloom, "):
        config_of(Said(Header({"general.architecture": "mamba"}, {})))


def test_mixtures_in_llamas_clothes_are_refused_by_their_key(saved: Any, tmp_path: Path):
    folder = saved("llama-gqa")
    file = write_gguf(folder, tmp_path / "m.gguf", config_at(folder), {"llama.expert_count": 8})
    with pytest.raises(ModelError, match=r"its llama.expert_count is 8, which visit does not"):
        load(str(file))
