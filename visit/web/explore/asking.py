"""What the pane asks, of what is chosen there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visit.engine.explorables import EXPLORABLES, Explorable
from visit.engine.options import options_of, question_from_texts
from visit.engine.questions import Question
from visit.errors import RequestError
from visit.graph.limits import LONGEST_OF_MANY, LONGEST_PROMPT
from visit.graph.request import Request


def explorable_from(pane: Mapping[str, Any]) -> Explorable:
    """The explorable that a pane shows; the first where it names none.

    Raises:
        RequestError: there is none of that name.
    """
    name = pane.get("of") or next(iter(EXPLORABLES))
    if name not in EXPLORABLES:
        raise RequestError(f"{name!r} cannot be explored; choose {', '.join(EXPLORABLES)}")
    return EXPLORABLES[str(name)]


def chosen_of(explorable: Explorable, texts: Mapping[str, Any] | None) -> dict[str, str]:
    """What is chosen of one explorable, by its options' names.

    Args:
        explorable: Which.
        texts: Of all of them, by ``NAME.OPTION``.
    """
    start = f"{explorable.name}."
    return {
        name.removeprefix(start): str(text)
        for name, text in (texts or {}).items()
        if name.startswith(start) and text is not None
    }


def ask_explorable(
    explorable: Explorable, request: Request, chosen: Mapping[str, str]
) -> Question[Any]:
    """The question.

    Raises:
        RequestError: what is chosen cannot be asked, or is longer than this server reads.
    """
    for one in options_of(explorable.question):
        lines = chosen.get(one.name, "").splitlines() if one.lines else [chosen.get(one.name, "")]
        allowed = LONGEST_OF_MANY if one.lines else LONGEST_PROMPT
        longest = max(map(len, lines), default=0)
        if longest > allowed:
            raise RequestError(
                f"{one.name} has {longest:,} letters{' in a line' if one.lines else ''}; this "
                f"server reads at most {allowed:,}: shorten it, or use visit explore"
            )
    return question_from_texts(explorable.question, request, chosen)
