"""The shipped model does what its card says."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from visit.mini import FOLDER
from visit.mini.documents import Probe
from visit.mini.evaluate import (
    CARD_NAME,
    TABLE_BEGIN,
    TABLE_END,
    Result,
    card_with_table,
    load,
    story_perplexity,
    table,
)
from visit.mini.givers import PAPER_PROBE
from visit.mini.heldout import TASKS, TOKYO, Task, quick
from visit.mini.measure import accuracy, verdicts

REQUIRED = tuple(task for task in TASKS if task.required is not None)


@pytest.fixture(scope="module")
def mini() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The bundled model and its tokenizer, loaded as any user loads them."""
    return load(FOLDER)


def test_it_loads_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    load(FOLDER)
    captured = capfd.readouterr()
    assert "warn" not in (captured.out + captured.err).lower()
    assert "recommend" not in (captured.out + captured.err).lower()


def test_it_is_a_gpt2_of_the_promised_shape(
    mini: tuple[PreTrainedModel, PreTrainedTokenizerBase],
) -> None:
    config = mini[0].config
    assert (config.model_type, config.architectures) == ("gpt2", ["GPT2LMHeadModel"])
    assert config.n_layer >= 4
    assert config.n_head >= 4
    assert config.n_positions >= 128
    assert config.tie_word_embeddings
    assert config.vocab_size == len(mini[1])


def test_its_weights_are_at_most_twelve_megabytes() -> None:
    assert (FOLDER / "model.safetensors").stat().st_size <= 12_000_000


@pytest.mark.parametrize("task", REQUIRED, ids=lambda task: task.name)
def test_every_required_figure_is_reached(
    task: Task, mini: tuple[PreTrainedModel, PreTrainedTokenizerBase]
) -> None:
    assert task.required is not None
    assert accuracy(list(verdicts(*mini, quick(task, 400)))) >= task.required


def test_tokyo_is_the_capital_of_japan_beyond_doubt(
    mini: tuple[PreTrainedModel, PreTrainedTokenizerBase],
) -> None:
    (verdict,) = verdicts(*mini, [TOKYO])
    assert verdict.is_right
    assert verdict.probability > 0.9


def test_the_drink_goes_to_whoever_did_not_give_it(
    mini: tuple[PreTrainedModel, PreTrainedTokenizerBase],
) -> None:
    swapped = Probe(PAPER_PROBE.prompt.replace("John gave", "Mary gave"), " John")
    assert accuracy(list(verdicts(*mini, [PAPER_PROBE, swapped]))) == 1.0


def test_probes_of_different_lengths_are_read_as_if_alone(
    mini: tuple[PreTrainedModel, PreTrainedTokenizerBase],
) -> None:
    probes = [TOKYO, PAPER_PROBE, Probe("Monday, Tuesday,", " Wednesday")]
    together = [verdict.probability for verdict in verdicts(*mini, probes)]
    alone = [next(iter(verdicts(*mini, [probe]))).probability for probe in probes]
    assert together == pytest.approx(alone, rel=1e-4)


def test_an_answer_is_right_only_if_greedy_decoding_spells_all_of_it(
    mini: tuple[PreTrainedModel, PreTrainedTokenizerBase],
) -> None:
    model, tokenizer = mini
    probe = Probe("The capital of Malaysia is the city of", " Kuala Lumpur")
    (verdict,) = verdicts(model, tokenizer, [probe])
    prompt = torch.tensor([tokenizer.encode(probe.prompt)])
    greedy = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=2,
        do_sample=False,
        pad_token_id=tokenizer.eos_token_id,
    )
    assert verdict.is_right == tokenizer.decode(greedy[0]).endswith(" Kuala Lumpur")


def test_a_held_out_story_holds_few_surprises(
    mini: tuple[PreTrainedModel, PreTrainedTokenizerBase],
) -> None:
    assert story_perplexity(*mini) < 3.0


def test_the_card_carries_the_table_of_every_task() -> None:
    card = (FOLDER / CARD_NAME).read_text(encoding="utf-8")
    written = card.partition(TABLE_BEGIN)[2].partition(TABLE_END)[0]
    for task in TASKS:
        assert f"| {task.name} |" in written
    assert "@" not in card


def test_a_missed_figure_is_told_from_a_reached_one() -> None:
    asked = Task("a task", list, 0.9)
    assert Result(asked, 10, 0.8, 0.5).is_missed
    assert not Result(asked, 10, 0.9, 0.5).is_missed
    assert not Result(Task("a task", list), 10, 0.0, 0.0).is_missed


def test_the_table_replaces_the_old_one_and_nothing_else() -> None:
    card = f"before\n{TABLE_BEGIN}\nold\n{TABLE_END}\nafter\n"
    new = table([Result(Task("a task", list, 0.9), 10, 0.955, 0.5)], 1.5)
    replaced = card_with_table(card, new)
    assert "| a task | 10 | 95.5% | 0.500 | 90% |" in replaced
    assert "old" not in replaced
    assert card_with_table(replaced, "old") == card


def test_a_card_without_markers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the card needs the lines"):
        card_with_table("no markers here", "table")
