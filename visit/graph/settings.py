"""How a prediction is explained and how much is drawn, setting by setting, in words.

They are the fields of ``Request`` that are marked as drawn, with their types, defaults and ranges.
The command line makes its options of this table, and the app its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from visit.errors import RequestError
from visit.graph.fields import hints_of, text_from_value, type_of, value_from_text
from visit.graph.limits import MOST_LAYERS
from visit.graph.request import Request, layers_from_spec


class Topic(StrEnum):
    """What a setting is about, as a heading says it."""

    METRIC = "what is explained"
    DRAWING = "how much is drawn"


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a request that says how it is explained.

    Attributes:
        name: The field's.
        label: What it is called beside its field in the app.
        says: What it does, as part of a sentence.
        topic: What it is about.
        letter: What stands for its value in a help text.
        unset: What holds where it is ``None``; empty where it never is.
    """

    name: str
    label: str
    says: str
    topic: Topic = Topic.DRAWING
    letter: str = "N"
    unset: str = ""

    @property
    def takes(self) -> type:
        """What its value is: a number, a text, true or false, or one of a set."""
        return type_of(hints_of(Request)[self.name])

    @property
    def default(self) -> Any:
        """Its value where nothing is said."""
        return _DEFAULTS[self.name]

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a closed set, as texts; none of any other."""
        if self.takes is bool:
            return text_from_value(True), text_from_value(False)
        return tuple(one.value for one in self.takes) if issubclass(self.takes, StrEnum) else ()

    def read(self, text: str) -> Any:
        """The value that a text says; the inverse of ``said_in``.

        Raises:
            RequestError: none; the text says what the setting takes.
        """
        if not text and self.unset:
            return None
        value = value_from_text(self.name, hints_of(Request)[self.name], text)
        if self.name == "layers":
            layers_from_spec(value, MOST_LAYERS)
        return value

    def said_in(self, request: Request) -> str:
        """A request's value as a text; empty for ``None``."""
        value = getattr(request, self.name)
        return "" if value is None else text_from_value(value)


_DEFAULTS = {field.name: field.default for field in fields(Request)}

_ALL = (
    Setting(
        "metric",
        "Metric",
        "the target's logit less the candidates' mean (choice), less the mean of all tokens "
        "(centred), or itself (logit); with a token to compare with (versus), less that one's",
        Topic.METRIC,
    ),
    Setting(
        "candidates", "Candidates", "likeliest next tokens that the target is among", Topic.METRIC
    ),
    Setting(
        "outcome",
        "Outcome",
        "say of each part which candidates it lifts and lowers in the end",
        Topic.METRIC,
        unset="at the latest positions, where it costs little",
    ),
    Setting("top_k", "Top tokens", "tokens listed at either end of a reading", Topic.METRIC, "K"),
    Setting("layers", "Layers", "the layers to open: all, none, or like 0-5,11", letter="SPEC"),
    Setting("heads", "Heads", "heads of an opened layer"),
    Setting("sources", "Sources", "sources of a drawn head"),
    Setting(
        "memories",
        "Memories",
        "memories of an opened layer that push along their value, or experts of a mixture",
    ),
    Setting("anti_memories", "Anti-memories", "memories that push against it"),
    Setting("attn_neurons", "Attention neurons", "attention neurons that push along their row"),
    Setting("anti_attn_neurons", "Anti-neurons", "attention neurons that push against it"),
    Setting(
        "threshold",
        "Threshold",
        "the part of the metric's absolute flow, 0 to 1, that must pass along an edge between "
        "positions",
        letter="PART",
    ),
    Setting(
        "rank_by",
        "Rank by",
        "what makes a part strong enough to be drawn; effect is measured at the traced position, "
        "and flow elsewhere",
    ),
    Setting(
        "route",
        "Route by",
        "what the threshold is of: the metric's flow, or each part's share of the traced residual",
    ),
    Setting(
        "strongest",
        "Strongest parts",
        "heads and MLPs of all layers and positions that are drawn, the strongest by flow, or by "
        "effect where parts rank by it",
    ),
    Setting(
        "strongest_memories",
        "Strongest memories",
        "memories of all layers and positions likewise",
    ),
    Setting(
        "effects",
        "Effects",
        "measure what removing each part drawn at the traced position does",
        unset="as many, the strongest by flow first, as take half as long as the graph; all "
        "where parts rank by effect",
    ),
)
SETTINGS = MappingProxyType({setting.name: setting for setting in _ALL})
"""Every setting by its field, in the order in which they are listed."""


def texts_beside(served: Request, request: Request) -> dict[str, str]:
    """What a request sets otherwise than another, in texts, by field.

    The inverse of ``values_from_texts``, laid over the other.
    """
    return {
        name: said
        for name, setting in SETTINGS.items()
        if (said := setting.said_in(request)) != setting.said_in(served)
    }


def values_from_texts(texts: Mapping[str, Any]) -> dict[str, Any]:
    """The values that texts say, by field; what is no setting is passed over.

    Raises:
        RequestError: a text says nothing that its setting takes.
    """
    return {name: SETTINGS[name].read(str(texts[name])) for name in SETTINGS if name in texts}


def problems_in(texts: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with each text, in one line, by field; those that are right are absent."""
    problems = {}
    for name in SETTINGS.keys() & texts.keys():
        try:
            SETTINGS[name].read(str(texts[name]))
        except RequestError as problem:
            problems[name] = str(problem)
    return problems
