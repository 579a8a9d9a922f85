"""The question that the page asks about many prompts, of what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from visit.engine.questions import ReadConsensus
from visit.errors import RequestError
from visit.formats.prompts import PROMPT, prompts_from_text, repeat_values
from visit.graph.consensus import MEASURES, Consensus, LeftOut
from visit.graph.request import Request
from visit.graph.template import Template
from visit.web.causes.asking import plain

EFFECT = "effect"
MEASURE_WORDS = {"flow": "flow", "direct_logit": "direct logit", EFFECT: "effect"}
"""What parts are ranked by, as the screen calls it."""
STRONGEST = 20
"""Among how many of a prompt's strongest parts a part is counted."""


def measure_from(asked: object) -> str:
    """What a page ranks parts by: the flow, where it asks for nothing that is known."""
    return next((known for known in MEASURES if known == asked), MEASURES[0])


def ask_consensus(
    request: Request, asked: Mapping[str, Any]
) -> tuple[ReadConsensus, tuple[LeftOut, ...]]:
    """The question, and the lines that say no prompt.

    Each prompt is explained towards its own answer. Effects are measured where parts are ranked by
    them.

    Args:
        request: The shown graph's, of which the prompt, the target and the position are left.
        asked: ``prompts``, a template or prompts one a line; ``values`` of the template's slots;
            and ``by``.

    Raises:
        RequestError: nothing was typed, or nothing that can be read.
    """
    typed, values = (str(asked.get(name) or "") for name in ("prompts", "values"))
    if not typed.strip():
        raise RequestError("there is no prompt; type a template, or prompts one a line")
    template = typed.strip("\r\n") if "{" in typed else ""
    names = Template.parse(template).names if template else (PROMPT,)
    if template and not values.strip():
        raise RequestError(f"there is no value for {{{names[0]}}}; type one a line")
    rows, unread = prompts_from_text(values if template else typed, names)
    if not rows:
        raise RequestError(f"no line can be read; line {unread[0].line}: {unread[0].reason}")
    shared = replace(
        plain(request), prompt=template or rows[0].values[0], prompt_ids=None, chat=False,
        target=None, target_id=None, versus=None, versus_id=None, position=None,
    )  # fmt: skip
    question = ReadConsensus(
        shared,
        values=tuple(repeat_values(row, names, names) for row in rows),
        lines=tuple(row.line for row in rows),
        targets=("",) * len(rows),
        template=template,
        strongest=STRONGEST,
        effects=measure_from(asked.get("by")) == EFFECT,
    )
    return question, tuple(unread)


def with_unread(consensus: Consensus, unread: tuple[LeftOut, ...]) -> Consensus:
    """An answer with the lines that were left out before it was asked for, in their places."""
    left_out = sorted((*unread, *consensus.left_out), key=lambda one: one.line)
    return replace(consensus, left_out=tuple(left_out))
