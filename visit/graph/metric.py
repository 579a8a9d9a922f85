"""What everything is explained towards, as a request asks for it and as a document says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class MetricChoice(StrEnum):
    """What a request explains the target towards; with ``versus`` it is their logit difference."""

    CHOICE = "choice"
    CENTRED = "centred"
    LOGIT = "logit"


class MetricKind(StrEnum):
    """What a metric is of the target's logit, each logit taken before any soft-cap.

    The choice takes off the candidates' mean logit: it is what makes the target win over what else
    may come. A logit difference takes off another token's, a centred logit the whole vocabulary's
    mean, and a logit nothing. A part that lifts all tokens alike contributes nothing to the first
    three.
    """

    CHOICE = "choice"
    LOGIT_DIFFERENCE = "logit_difference"
    CENTRED_LOGIT = "centred_logit"
    LOGIT = "logit"


class TokenProbability(NamedTuple):
    """A token that a reading lists, with its probability in that reading (0 to 1).

    A tuple, since a whole graph has a hundred thousand of them.
    """

    id: int
    text: str
    prob: float


class TokenFlow(NamedTuple):
    """A token that an outcome lists, with the part's flow to it."""

    id: int
    text: str
    flow: float


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """The metric of a graph.

    Attributes:
        kind: What it is of the target's logit.
        value: What it is, by the model's own logits.
        candidates: The plain pass's likeliest next tokens, likeliest first, where the metric or an
            outcome is of them.
        absolute_flow: The most that passes any depth, signs aside: the largest sum of ``|flow|``
            over the residuals of one depth. What the threshold is a part of; ``None`` in a graph
            without flow.
    """

    kind: MetricKind
    value: float
    candidates: tuple[TokenProbability, ...] = ()
    absolute_flow: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a part does to the candidates in the end, once all that follows has passed it on.

    Attributes:
        promotes: The candidates that it lifts most over their mean, most first.
        suppresses: Those that it lowers most, most first.
    """

    promotes: tuple[TokenFlow, ...]
    suppresses: tuple[TokenFlow, ...]
