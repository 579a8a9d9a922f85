"""How much a page may ask of a server that many share.

A page's settings, an address, and whoever speaks to the websocket by other means can ask for
anything, so each request is checked before an engine is asked: against ``visit.graph.limits``, or
against the server's own request where that asks for more, since whoever starts a server may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visit.engine.questions import ReadConsensus
from visit.errors import RequestError
from visit.graph.limits import (
    LONGEST_OF_MANY,
    LONGEST_PROMPT,
    MOST_CHANGED,
    MOST_COUNTED,
    MOST_LISTED_A_LAYER,
    MOST_OPENED,
    MOST_PROMPTS,
)
from visit.graph.request import Request
from visit.graph.settings import SETTINGS, problems_in
from visit.web.state.view import View


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one server lets a page ask for.

    Attributes:
        own: The request that it was started with, whose counts are always allowed.
    """

    own: Request | None = None

    def check(self, request: Request) -> None:
        """Refuse a request that asks for too much.

        Raises:
            RequestError: the text says what is too much, what is allowed, and how that is changed.
        """
        for name in MOST_COUNTED:
            self.check_count(name, getattr(request, name))
        n_asked = n_listed(request)
        n_allowed = max(MOST_LISTED_A_LAYER, 0 if self.own is None else n_listed(self.own))
        if n_asked > n_allowed:
            raise RequestError(
                f"top_k is {request.top_k} for {n_asked // request.top_k} parts of a layer, which "
                f"lists {n_asked:,} tokens; this server lists at most {n_allowed:,}: lower either"
            )
        if len(request.interventions) > MOST_CHANGED:
            raise RequestError(
                f"{len(request.interventions)} sites are to be changed; this server changes at "
                f"most {MOST_CHANGED}: leave some out"
            )
        length = max(len(request.prompt), len(request.prompt_ids or ()))
        if length > LONGEST_PROMPT:
            raise RequestError(
                f"the prompt is {length:,} long; this server takes at most {LONGEST_PROMPT:,} "
                "letters or ids: shorten it"
            )

    def check_count(self, name: str, asked: int) -> None:
        """Refuse a count of which this server draws fewer.

        Raises:
            RequestError: the text says how many are allowed, and how that is changed.
        """
        most = MOST_COUNTED[name]
        allowed = most if self.own is None else max(most, getattr(self.own, name))
        if asked > allowed:
            raise RequestError(
                f"{name} is {asked}; this server draws at most {allowed}: ask for less, or "
                f"start it with --{name.replace('_', '-')} {asked}"
            )

    def problems_in(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """What is wrong with each setting that is typed, in one line, by field."""
        problems = problems_in(settings)
        for name in MOST_COUNTED.keys() & settings.keys() - problems.keys():
            try:
                self.check_count(name, SETTINGS[name].read(str(settings[name])))
            except RequestError as problem:
                problems[name] = str(problem)
        return problems

    def check_prompts(self, question: ReadConsensus) -> None:
        """Refuse more prompts at once, or longer ones, than this server reads.

        Raises:
            RequestError: the text says what is too much, what is allowed, and what has no bound.
        """
        self.check(question.request)
        count, between = len(question.values), len(question.template)
        if count > MOST_PROMPTS:
            raise RequestError(
                f"{count:,} prompts are asked for; this server reads at most {MOST_PROMPTS} at "
                "once: leave some out, or use visit consensus"
            )
        longest = between + max(sum(map(len, row)) for row in question.values)
        if longest > LONGEST_OF_MANY:
            raise RequestError(
                f"a prompt is {longest:,} letters long; this server reads many of at most "
                f"{LONGEST_OF_MANY} letters: shorten it, or use visit consensus"
            )

    def check_view(self, view: View) -> None:
        """Refuse a view whose graph could not be asked for, or with too much open.

        Raises:
            RequestError: the text says what is too much.
        """
        self.check(view.request)
        blocks = {(node_id.layer, node_id.position) for node_id in view.opened}
        if len(blocks) > MOST_OPENED:
            raise RequestError(
                f"{len(blocks):,} blocks are to be open; this server opens at most {MOST_OPENED}: "
                "close some"
            )


def n_listed(request: Request) -> int:
    """How many tokens the readings of an opened layer list at one end, at most.

    A head has a query, a key and a value for each source, and a rest; a memory a key and a value.
    The strongest parts of all layers may be of this one.
    """
    heads = (request.heads + request.strongest) * (3 + 2 * request.sources)
    memories = 2 * (request.memories + request.anti_memories + request.strongest_memories)
    return request.top_k * (heads + memories + request.attn_neurons + request.anti_attn_neurons)
