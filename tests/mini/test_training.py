"""The training run: rates, positions, and files that are whole or absent."""

import json
import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from visit.mini.batches import batches
from visit.mini.corpus import documents
from visit.mini.model import MODEL_FILES, Recipe, new_model, save, sinusoids
from visit.mini.tokenizer import CONTEXT
from visit.mini.train import optimizers, rate_factor, train, weighted_loss

SMALL = Recipe(d_model=24, n_layers=2, n_heads=3)


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    recipe = Recipe(warm_up=0.1, decay=0.5)
    factors = [rate_factor(progress, recipe) for progress in (0.0, 0.05, 0.1, 0.5, 0.75, 1.0)]
    assert factors == pytest.approx([0.0, 0.5, 1.0, 1.0, 0.5, 0.0])
    assert rate_factor(0.45, recipe, begun=0.4) == pytest.approx(0.5)


def test_the_position_before_is_the_same_rotation_everywhere() -> None:
    waves = sinusoids(CONTEXT, 24)
    similarity = waves @ waves.T
    before = similarity.diagonal(-1)
    torch.testing.assert_close(before, before[:1].expand_as(before), rtol=1e-4, atol=1e-4)
    assert similarity[0, 0].item() == pytest.approx(12.0)


def test_an_untrained_model_knows_nothing(fresh_tokenizer: PreTrainedTokenizerBase) -> None:
    model = new_model(SMALL, fresh_tokenizer)
    batch = next(batches(documents(0), fresh_tokenizer, context=CONTEXT, n_rows=2))
    assert weighted_loss(model, batch).item() == pytest.approx(
        math.log(len(fresh_tokenizer)), abs=0.2
    )


def test_every_parameter_is_trained_by_exactly_one_optimizer(
    fresh_tokenizer: PreTrainedTokenizerBase,
) -> None:
    model = new_model(SMALL, fresh_tokenizer)
    groups = [group for optimizer in optimizers(model, SMALL) for group in optimizer.param_groups]
    trained = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(trained) == sorted(id(parameter) for parameter in model.parameters())


def test_a_few_steps_lower_the_loss(fresh_tokenizer: PreTrainedTokenizerBase) -> None:
    model = new_model(SMALL, fresh_tokenizer)
    both = optimizers(model, SMALL)
    batch = next(batches(documents(0), fresh_tokenizer, context=CONTEXT, n_rows=2))
    before = weighted_loss(model, batch).item()
    for _ in range(10):
        weighted_loss(model, batch).backward()
        for optimizer in both:
            optimizer.step()
            optimizer.zero_grad()
    assert weighted_loss(model, batch).item() < before - 0.5


def test_saving_leaves_whole_files_that_load_in_half_precision(
    fresh_tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    model = new_model(SMALL, fresh_tokenizer)
    save(model, fresh_tokenizer, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(MODEL_FILES)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert loaded.config.activation_function == "gelu_new"
    for name, parameter in loaded.named_parameters():
        torch.testing.assert_close(parameter, model.get_parameter(name), rtol=1e-3, atol=1e-6)


def test_a_run_can_be_taken_up_again_and_says_what_it_did(
    fresh_tokenizer: PreTrainedTokenizerBase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe(d_model=24, n_layers=2, n_heads=3, n_rows=2, n_steps=4)
    train(recipe, fresh_tokenizer, tmp_path, minutes=5.0)
    capsys.readouterr()
    train(recipe, fresh_tokenizer, tmp_path, minutes=5.0, first_step=1)
    assert (tmp_path / "model.safetensors").exists()
    last_line = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(last_line)["tokens"] == 3 * 2 * CONTEXT
