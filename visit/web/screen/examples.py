"""Five prompts to begin with, each with what to look for in its graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.web.parts import data
from visit.web.words import typed_from_tokens


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt that shows one thing a GPT does.

    Attributes:
        name: The thing.
        prompt: The prompt.
        answer: The token it should be continued with; the bundled model does.
        look: One sentence on where to see it.
        versus: The token that the answer is compared with; empty where it is with none.
    """

    name: str
    prompt: str
    answer: str
    look: str
    versus: str = ""

    @property
    def asked(self) -> dict[str, Any]:
        """What asks for it, as attributes of a button."""
        typed = typed_from_tokens(self.answer, self.versus) if self.versus else ""
        return data(prompt=self.prompt, typed=typed)


EXAMPLES = (
    Example(
        "Fact recall",
        "The capital of Japan is the city of",
        " Tokyo",
        "Open the attention that leads to the output: heads that read ·Japan already say ·Tokyo.",
    ),
    Example(
        "Indirect object",
        "When Mary and John went to the store, John gave a drink to",
        " Mary",
        "John is named twice, Mary once: look for heads that read ·Mary and none that copy ·John.",
        versus=" John",
    ),
    Example(
        "Induction",
        "river blue cat house river blue cat",
        " house",
        "The words repeat: look for heads that read ·house, which followed ·cat the first time.",
    ),
    Example(
        "Successor",
        "Monday, Tuesday, Wednesday,",
        " Thursday",
        "A head reads ·Wednesday, and MLPs turn it into the day that follows: open the strongest.",
    ),
    Example(
        "Agreement",
        "Today the keys near the table",
        " are",
        "The verb agrees with ·keys, not the nearer ·table: see which one the late heads read.",
    ),
)


def menu() -> list[Component]:
    """The examples as buttons; ``assets/ask.js`` traces the one that is chosen."""
    return [
        html.Button(
            [
                html.Span(example.name, className="example-name"),
                html.Span(example.prompt, className="example-prompt"),
                html.Span(example.look, className="example-look"),
            ],
            className="example",
            **example.asked,
        )
        for example in EXAMPLES
    ]
