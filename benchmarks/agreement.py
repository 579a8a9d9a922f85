"""How well direct logits, flows and estimates agree with what was measured, over many prompts.

    python benchmarks/agreement.py --model mini --prompts capitals --limit 200
    python benchmarks/agreement.py --model SmolLM2-135M-Instruct.Q4_1.gguf --prompts mixed

Of every prompt: all heads, attention blocks and MLPs and each layer's strongest memories at the
last position, set to zero. Prints a table for docs/method.md: the median over prompts of each
prompt's Pearson and Spearman correlation and of its equal signs, with their quartiles.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections import defaultdict
from typing import Any

from visit.engine.questions import Measure
from visit.graph.effects import WAYS_OF_PREDICTING, Effect, agreement_of
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.mini import FOLDER
from visit.session import Session

MIXED = (
    "The capital of Japan is the city of",
    "The capital of France is the city of",
    "The capital of Italy is the city of",
    "The capital of Egypt is the city of",
    "The capital of Russia is the city of",
    "The Eiffel Tower is in the city of",
    "The Great Wall is in the country of",
    "The largest planet in the solar system is",
    "The opposite of hot is",
    "Water freezes at zero degrees",
    "Two plus two is equal to",
    "The president of the United States lives in the White",
    "Romeo and Juliet was written by William",
    "The first man to walk on the moon was Neil",
    "The author of Harry Potter is J. K.",
    "In winter it is cold, and in summer it is",
    "When Mary and John went to the store, John gave a drink to",
    "When Anna and Peter went to the park, Peter gave the ball to",
    "After Tom and Sarah had dinner, Tom gave a book to",
    "Monday, Tuesday, Wednesday,",
    "one two three four five six",
    "A B C D E F",
    "The cat sat on the",
    "Once upon a",
)
"""Facts, sequences, and who gives what to whom: 24 prompts for any English model."""

SORTS = {
    "heads": {NodeKind.HEAD},
    "memories": {NodeKind.MEMORY_VALUE},
    "attn, mlp": {NodeKind.ATTN, NodeKind.MLP},
}


def prompts_of(name: str) -> list[str]:
    """The prompts that a set's name stands for."""
    if name == "mixed":
        return list(MIXED)
    with (FOLDER / "countries.csv").open(encoding="utf-8") as file:
        countries = [row["name"] for row in csv.DictReader(file)]
    phrasings = ("The capital of {} is the city of", "The capital city of {} is called")
    return [phrasing.format(country) for phrasing in phrasings for country in countries]


def main() -> None:
    """Measure every prompt, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--prompts", choices=["mixed", "capitals"], default="mixed")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--memories", type=int, default=25)
    arguments = parser.parse_args()
    session = Session.load(arguments.model)
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    prompts = prompts_of(arguments.prompts)[: arguments.limit]
    for done, prompt in enumerate(prompts, start=1):
        question = Measure(
            Request(prompt), ("heads", "attn", "mlp", "memories"), memories=arguments.memories
        )
        for sort, agreement in by_sort(session.ask(question).effects).items():
            for way, one in agreement.items():
                if one.pearson is not None and one.spearman is not None and one.sign is not None:
                    rows[sort, way].append((one.pearson, one.spearman, one.sign))
        print(f"{done}/{len(prompts)} {prompt}", flush=True)
    print(f"\n{session.model.name}, {len(prompts)} prompts, zero, choice")
    print("| parts | prediction | prompts | Pearson | Spearman | equal signs |")
    print("|---|---|---|---|---|---|")
    for sort in SORTS:
        for way in WAYS_OF_PREDICTING:
            columns = list(zip(*rows[sort, way], strict=True))
            numbers = " | ".join(quartiles(column) for column in columns)
            print(f"| {sort} | {way} | {len(rows[sort, way])} | {numbers} |")


def by_sort(effects: tuple[Effect, ...]) -> dict[str, dict[str, Any]]:
    """The agreement of each sort of part by itself."""
    return {
        sort: agreement_of([one for one in effects if one.sites[0].kind in kinds])
        for sort, kinds in SORTS.items()
    }


def quartiles(values: tuple[float, ...]) -> str:
    """The median, with the quartiles in brackets."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
