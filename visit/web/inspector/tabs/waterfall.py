"""A ledger as a waterfall: each line's bar begins where the last one ended.

So the bars walk from nothing to the sum, through every sign, and a reader sees that they arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dash import html
from dash.development.base_component import Component

from visit.web.inspector.pieces import Said
from visit.web.parts import aria, data, field, term
from visit.web.words import signed, signed_percent

LINES_SHOWN = 12


class By(StrEnum):
    """What the bars of a waterfall are as long as."""

    SHARE = "share"
    LOGIT = "logit"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a ledger: what stands for the part, its two measures, and its flow."""

    part: Said
    share: float | None
    logit: float | None
    flow: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One bar: where it starts and where it ends, in the measure's own unit."""

    start: float
    end: float


def choice() -> Component:
    """By which measure a node's ledgers are shown; the style sheet hides the other tables."""
    return html.Div(
        [
            html.Span("Bars by", className="hint"),
            *(
                html.Label(
                    [
                        field(
                            type="radio",
                            name="ledger-by",
                            value=str(by),
                            **({"checked": ""} if by is By.LOGIT else {}),
                            **data(by=str(by), focus=f"ledger-by-{by}"),
                        ),
                        html.Span(name),
                    ]
                )
                for by, name in ((By.LOGIT, "direct logit"), (By.SHARE, "share"))
            ),
        ],
        className="ledger-by",
        role="group",
        **aria(label="Measure of the bars"),
    )


def fold(rows: Sequence[Row], by: By) -> list[Row]:
    """A ledger's rows as they are shown: the largest first, and the many small ones as one.

    Direct logits are in the order of the parts' flow, where all have one: by what they do in all.
    """
    by_flow = by is By.LOGIT and all(row.flow is not None for row in rows)
    ordered = sorted(rows, key=lambda row: -abs((row.flow or 0.0) if by_flow else _size(row, by)))
    first, others = ordered[:LINES_SHOWN], ordered[LINES_SHOWN:]
    if len(others) == 1:  # a line of its own takes no more room
        return ordered
    if others:
        name = html.Span(f"{len(others)} more", className="more")
        first.append(Row(name, _sum(r.share for r in others), _sum(r.logit for r in others)))
    return first


def steps(rows: Iterable[Row], by: By) -> list[Step]:
    """The bars of rows, each beginning where the last one ended."""
    made: list[Step] = []
    at = 0.0
    for row in rows:
        end = at + _size(row, by)
        made.append(Step(at, end))
        at = end
    return made


def waterfall(
    rows: Sequence[Row], by: By, *, own_logit: float | None = None, with_share: bool = True
) -> Component:
    """A ledger's table: its parts, their bars and measures, and the sum they end at.

    Args:
        rows: The ledger's lines, in any order.
        by: What the bars are as long as.
        own_logit: The direct logit of the whole itself, to compare the sum with.
        with_share: Whether the parts have shares.
    """
    shown = fold(rows, by)
    bars = steps(shown, by)
    total = Step(0.0, bars[-1].end if bars else 0.0)
    with_logit = any(row.logit is not None for row in rows)
    low = min(0.0, *(s.end for s in bars)) if bars else 0.0
    high = max(0.0, *(s.end for s in bars)) if bars else 0.0
    scale = _Scale(low, (high - low) or 1.0)
    columns = _Columns(with_share, with_logit)
    body = [
        columns.row(html.Td(row.part), scale.bar(step), row.share, row.logit)
        for row, step in zip(shown, bars, strict=True)
    ]
    share, logit = _sum(row.share for row in rows), _sum(row.logit for row in rows)
    foot = [columns.row(html.Th("sum", scope="row"), scale.bar(total), share, logit)]
    whole = html.Th("the whole itself", scope="row", colSpan=2)
    if own_logit is not None or with_share:
        own_share = 1.0 if with_share else None
        foot.append(columns.row(whole, None, own_share, own_logit))
    return html.Table(
        [html.Thead(columns.head()), html.Tbody(body), html.Tfoot(foot)],
        className=f"ledger by-{by}",
        style={"--zero": f"{scale.at(0.0):.2f}%"},
        **data(by=str(by)),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a value is across a waterfall, in percent of its width."""

    low: float
    width: float

    def at(self, value: float) -> float:
        return 100 * (value - self.low) / self.width

    def bar(self, step: Step) -> Component:
        left, right = sorted((self.at(step.start), self.at(step.end)))
        side = "plus" if step.end >= step.start else "minus"
        return html.Span(
            html.Span(
                className=side, style={"left": f"{left:.2f}%", "width": f"{right - left:.2f}%"}
            ),
            className="signed-bar",
        )


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which measures a table has."""

    share: bool
    logit: bool

    def head(self) -> Component:
        cells = [html.Th("part", scope="col"), html.Th(html.Span("adds up", className="unseen"))]
        if self.share:
            cells.append(html.Th(term("share"), scope="col", className="of-share"))
        if self.logit:
            cells.append(html.Th(term("direct logit"), scope="col", className="of-logit"))
        return html.Tr(cells)

    def row(
        self, name: Component, bar: Component | None, share: float | None, logit: float | None
    ) -> Component:
        cells = [name] if bar is None else [name, html.Td(bar)]
        if self.share:
            text = "" if share is None else signed_percent(share)
            cells.append(html.Td(text, className="number of-share"))
        if self.logit:
            text = "" if logit is None else signed(logit)
            cells.append(html.Td(text, className="number of-logit"))
        return html.Tr(cells)


def _size(row: Row, by: By) -> float:
    return (row.share if by is By.SHARE else row.logit) or 0.0


def _sum(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) if present else None
