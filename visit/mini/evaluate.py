"""Measures `mini` on what training never showed: `python -m visit.mini.evaluate`.

Prints the table, writes it into the model card beside the model if there is one, and exits with
status 1 if a required figure is missed.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from visit.mini import FOLDER
from visit.mini.heldout import TASKS, Task
from visit.mini.measure import accuracy, perplexity, verdicts
from visit.mini.stories import unseen_story

CARD_NAME: Final = "README.md"
TABLE_BEGIN: Final = "<!-- table: written by python -m visit.mini.evaluate -->"
TABLE_END: Final = "<!-- end of table -->"
_N_STORIES: Final = 200


@dataclass(frozen=True)
class Result:
    """One line of the table: how a task went."""

    task: Task
    n_probes: int
    accuracy: float
    probability: float
    """Mean probability of the right answer."""

    @property
    def is_missed(self) -> bool:
        """Whether the task asks for more than was reached."""
        return self.task.required is not None and self.accuracy < self.task.required


def load(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model in float32, ready to be asked, and its tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.train(False), AutoTokenizer.from_pretrained(folder)


def evaluated(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Iterator[Result]:
    """Every task's result, one at a time."""
    for task in TASKS:
        found = list(verdicts(model, tokenizer, task.probes()))
        probability = sum(verdict.probability for verdict in found) / len(found)
        yield Result(task, len(found), accuracy(found), probability)


def story_perplexity(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> float:
    """Perplexity per token on stories whose plot, hero and place never met in training."""
    rng = Random("stories")
    return perplexity(model, tokenizer, [unseen_story(rng) for _ in range(_N_STORIES)])


def table(results: Sequence[Result], stories: float) -> str:
    """The results as a Markdown table."""
    lines = [
        "| held-out task | questions | right | mean p | required |",
        "|---|---:|---:|---:|---:|",
    ]
    for result in results:
        required = "" if result.task.required is None else f"{result.task.required:.0%}"
        lines.append(
            f"| {result.task.name} | {result.n_probes} | {result.accuracy:.1%} "
            f"| {result.probability:.3f} | {required} |"
        )
    name = "stories, unseen combination: perplexity per token"
    lines.append(f"| {name} | {_N_STORIES} | {stories:.2f} | | |")
    return "\n".join(lines)


def card_with_table(card: str, new_table: str) -> str:
    """The model card with the table between its markers replaced.

    Raises:
        ValueError: the card lacks a marker.
    """
    before, begin, rest = card.partition(TABLE_BEGIN)
    _, end, after = rest.partition(TABLE_END)
    if not (begin and end):
        raise ValueError(f"the card needs the lines {TABLE_BEGIN!r} and {TABLE_END!r}")
    return f"{before}{begin}\n{new_table}\n{end}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate, print, update the card; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m visit.mini.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, default=FOLDER, help="folder of the model")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model, tokenizer = load(chosen.model)
    results = list(evaluated(model, tokenizer))
    new_table = table(results, story_perplexity(model, tokenizer))
    print(new_table)
    card = chosen.model / CARD_NAME
    if card.exists():
        text = card_with_table(card.read_text(encoding="utf-8"), new_table)
        card.write_text(text, encoding="utf-8")
    missed = [result.task.name for result in results if result.is_missed]
    for name in missed:
        print(f"missed: {name}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
