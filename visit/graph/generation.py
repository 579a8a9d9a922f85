"""What a model goes on with, token by token, or what it made of a given text: to ``Generate``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from visit.graph.flow import ModelInfo, Token, TokenProbability
from visit.graph.request import Request


class Ending(StrEnum):
    """Why a continuation is no longer."""

    COUNT = "count"
    """So many tokens were asked for."""
    EOS = "eos"
    """The model ended its text: its last token says so."""


@dataclass(frozen=True, slots=True)
class Step:
    """One token of a continuation, and what the model said where it was taken.

    Attributes:
        id: Its number in the vocabulary.
        text: What it stands for.
        prob: The model's own probability of it, at temperature 1 and before any top-p.
        rank: Of all tokens (1 = best).
        others: The nine likeliest others, best first.
        given: Whether it was given, rather than taken by the model.
    """

    id: int
    text: str
    prob: float
    rank: int
    others: tuple[TokenProbability, ...] = field(default=(), repr=False)
    given: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are taken.

    Attributes:
        temperature: What the logits are divided by; 0 takes the likeliest token each time.
        top_p: The tokens to draw from: the likeliest that have so much probability together.
        seed: Of the draws.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Generation:
    """A prompt's continuation.

    Attributes:
        visit_version: What answered.
        request: What names the prompt and the model.
        model: Who answered.
        tokens: The prompt.
        sampling: How those tokens were taken that were not given.
        steps: The continuation, in order.
        ending: Why it is no longer.
    """

    visit_version: str
    request: Request
    model: ModelInfo
    tokens: tuple[Token, ...]
    sampling: Sampling
    steps: tuple[Step, ...]
    ending: Ending

    @property
    def ids(self) -> tuple[int, ...]:
        """The whole text, prompt and continuation."""
        return (*(token.id for token in self.tokens), *(step.id for step in self.steps))

    def request_at(self, step: int) -> Request:
        """What explains one step: the prediction of its token, in a pass over the whole text.

        All steps' requests read the same tokens, so that one pass serves them; the text is not
        tokenized again.

        Args:
            step: From 0; negative ones count from the end.

        Raises:
            IndexError: there is no such step.
        """
        place = range(len(self.steps))[step]
        return request_at(self.request, self.ids, len(self.tokens) + place)


def request_at(request: Request, ids: tuple[int, ...], place: int) -> Request:
    """The same asked of a token in a text that is given by its ids, at the position before it.

    Args:
        request: How it is explained and drawn, and by which model.
        ids: The text.
        place: The token's position in it, 1 or more.

    Raises:
        ValueError: nothing stands before it.
    """
    if not 0 < place < len(ids):
        raise ValueError(f"token {place} of {len(ids)} has none before it that predicts it")
    return replace(
        request,
        prompt="",
        prompt_ids=ids,
        bos=None,
        chat=False,
        position=place - 1,
        target=None,
        target_id=ids[place],
        versus=None,
        versus_id=None,
    )
