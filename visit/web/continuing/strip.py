"""The continuation under the prompt: its tokens, the scrubber, what else was likely, the tree."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import TokenProbability
from visit.graph.generation import Ending, Generation, Step
from visit.text import visible, visible_neighbours
from visit.web.continuing.branches import Branches, Row
from visit.web.parts import aria, data, field, span, word
from visit.web.words import percent, typed_from_tokens

_N_OF_BRANCH = 6
"""How many of a branch's own tokens its button says."""


def build_strip(found: Generation, branches: Branches, texts: dict[int, str]) -> list[Component]:
    """All of it; ``assets/continuing.js`` marks the step that is traced, and shows its others.

    Args:
        found: The branch that is shown, read.
        branches: All that are kept.
        texts: What the tokens of all branches say.
    """
    begins, shown = len(found.tokens), tuple(step.id for step in found.steps)
    last = begins + len(found.steps) - 1
    texts_shown = visible_neighbours([step.text for step in found.steps])
    scrubber = field(
        type="range", min=str(begins), max=str(last), step="1", value=str(begins),
        id="continuing-step", title="The token that is explained; the arrow keys step",
        **data(focus="continuing-step"),
        **aria(label="Step of the continuation"),
    )  # fmt: skip
    chips = [
        _chip(step, begins + place, texts_shown[place]) for place, step in enumerate(found.steps)
    ]
    if found.ending is Ending.EOS:
        chips.append(html.Span("ends", className="hint", title="The model ended its text"))
    return [
        html.Div(
            [
                html.Span("Continuation", className="continuing-name"),
                scrubber,
                html.Div(chips, className="continuing-chips", role="group",
                         **aria(label="Tokens of the continuation")),
            ],
            className="continuing-row",
        ),
        *(_others(step, begins + place) for place, step in enumerate(found.steps)),
        *list_branches(branches, shown, texts),
    ]  # fmt: skip


def _chip(step: Step, place: int, shown: str) -> Component:
    title = f"{visible(step.text)}: {percent(step.prob)}, rank {step.rank:,}"
    return html.Button(
        [span([shown], "continuing-token"), _strength(step.prob)],
        className="chip",
        title=title,
        **data(
            step=str(place),
            typed=typed_from_tokens(step.text or step.id),
            target_id=str(step.id),
            focus=f"step {place}",
        ),
        **aria(pressed="false"),
    )


def _strength(prob: float) -> Any:
    """How likely a token was, as a line as long as that part of the chip."""
    line = span([], style=f"width: {100 * prob:.0f}%")
    return span([line], "strength")


def _others(step: Step, place: int) -> Component:
    """The nine likeliest others at one step, each a way to go on."""
    chance = f" {percent(step.prob)}, rank {step.rank:,}"
    said: list[Any] = ["instead of ", word(step.text), chance]
    return html.Div(
        [
            html.Span(said, className="hint"),
            *(_other(one, place) for one in step.others),
        ],
        className="continuing-others",
        hidden=True,
        **data(others=str(place)),
    )


def _other(one: TokenProbability, place: int) -> Component:
    return html.Button(
        [word(one.text), span([percent(one.prob)], "number")],
        className="continuing-other",
        title="Go on from here with this token",
        **data(instead=str(one.id), place=str(place)),
    )


def list_branches(
    branches: Branches, shown: tuple[int, ...], texts: dict[int, str]
) -> list[Component]:
    """The tree, where there is more than what is shown."""
    if all(one == shown for one in branches.kept):
        return []
    return [
        html.Div(
            [
                html.Span("Branches", className="continuing-name"),
                *(_branch(row, row.ids == shown, branches, texts) for row in branches.rows()),
            ],
            className="continuing-branches",
            role="group",
            **aria(label="Branches of the continuation"),
        )
    ]


def _branch(row: Row, is_shown: bool, branches: Branches, texts: dict[int, str]) -> Component:
    own = row.ids[row.begins : row.begins + _N_OF_BRANCH]
    more = "…" if len(row.ids) > row.begins + len(own) else ""
    said = "".join(visible_neighbours([texts[id_] for id_ in own])) + more
    whole = "".join(visible_neighbours([texts[id_] for id_ in row.ids]))
    ids = ".".join(map(str, row.ids))
    at = branches.n_prompt + row.begins
    buttons = [
        html.Button(
            said,
            className="continuing-branch",
            title=f"Show {whole}",
            **data(branch=ids, at=str(at)),
            **aria(pressed="true" if is_shown else "false"),
        )
    ]
    if not is_shown:
        buttons.append(
            html.Button(
                "×",
                className="quiet continuing-drop",
                title="Forget this branch",
                **data(drop=ids),
                **aria(label=f"Forget {whole}"),
            )
        )
    mark: list[Component] = [html.Span("└", className="hint")] if row.depth else []
    deep = f"continuing-one is-deep-{min(row.depth, 3)}"
    return html.Span([*mark, *buttons], className=deep)
