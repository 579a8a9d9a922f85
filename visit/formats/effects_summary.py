"""Measured effects as a screenful of text: the prediction, the strongest effects, agreement."""

from __future__ import annotations

from collections.abc import Mapping

from visit.graph.circuit import Circuit
from visit.graph.effect import Agreement, Effect
from visit.graph.effects import Effects
from visit.graph.interventions import How, Unit, Way
from visit.text import align, counted, one_line, shorten, visible

_N_MOVED = 3
_LONGEST_TOKEN = 18
_LONGEST_PROMPT = 300
_LONGEST_SITES = 48
_LONGEST_COLUMN = 12
_LEAST_COLUMNS = 2
_SHOWN = 0.0005
"""The least that three decimals show."""


def text_from_effects(effects: Effects, count: int) -> str:
    """The summary, ending in a line end. Every token is shown by ``visible``, never as it is.

    Args:
        effects: What was measured.
        count: How many effects to list, the strongest first.
    """
    blocks = [
        describe_prediction(effects),
        _grid(effects),
        _table(effects, count),
        _agreement(effects),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def describe_prediction(effects: Effects | Circuit) -> list[str]:
    """The prompt, what is predicted, and where an ablated part's values come from."""
    prompt = one_line("".join(token.text for token in effects.tokens))
    base, target = effects.base, visible(effects.target.text)
    against = "" if effects.versus is None else f" rather than {visible(effects.versus.text)}"
    lines = [
        shorten(prompt, _LONGEST_PROMPT),
        f" → {target}{against}  probability {base.prob:.3f}, rank {base.rank}; "
        f"{effects.metric.kind.value} {base.metric:+.3f}",
    ]
    reference = effects.reference
    if reference is not None:
        said = ", ".join(f'"{one_line(shorten(one, 60))}"' for one in reference.prompts[:2])
        over = (
            ""
            if reference.n_positions is None
            else f" ({counted(reference.n_positions, 'position')})"
        )
        metric = "" if reference.metric is None else f", whose metric is {reference.metric:+.3f}"
        lines.append(f"   values from {reference.name}{over}{': ' if said else ''}{said}{metric}")
    return lines


def _table(effects: Effects, count: int) -> list[str]:
    listed = effects.effects[:count]
    measured = any(one.measured is not None for one in effects.effects)
    n_all = len(effects.effects)
    what = f"{'measured' if measured else 'estimated'} change of the {_unit(effects)}"
    title = f"{what} with each site {words_of_way(effects.how)}"
    if n_all > len(listed):
        title += f" (the {len(listed)} strongest of {n_all})"
    if not listed:
        return [title]
    header = ("", "site", "measured", "direct", "flow", "estimate", "p after", "", "less, more")
    rows = [_row(one) for one in listed]
    return [title, *align([header, *rows], numeric={2, 3, 4, 5, 6})]


def _grid(effects: Effects) -> list[str]:
    """A patch of one kind at every layer and position, or of every head: how far each goes."""
    places = [(one, one.sites[0]) for one in effects.effects if len(one.sites) == 1]
    by_place = {
        (site.layer, site.number if site.position is None else site.position): one.normalised
        for one, site in places
        if site.layer is not None and one.normalised is not None
    }
    kinds = {(site.kind, site.position is None) for _, site in places if site.layer is not None}
    columns = sorted({column for _, column in by_place if column is not None})
    if len(kinds) != 1 or len(columns) < _LEAST_COLUMNS:
        return []
    ((kind, everywhere),) = kinds
    layers = sorted({layer for layer, _ in by_place if layer is not None})
    if everywhere:
        names = [f"{kind}{column}" for column in columns]
    else:
        texts = {token.position: token.text for token in effects.tokens}
        names = [shorten(visible(texts[column]), _LONGEST_COLUMN) for column in columns]
    rows = [
        ("", f"L{layer}", *(_plain(by_place.get((layer, column))) for column in columns))
        for layer in layers
    ]
    title = f"{kind} patched: 0 is this prompt's {_unit(effects)}, 1 the reference's"
    return [title, *align([("", "", *names), *rows], numeric=set(range(2, len(columns) + 2)))]


def _row(one: Effect) -> tuple[str, ...]:
    after, flag = one.after, one.flag
    return (
        "",
        shorten(" ".join(map(str, one.sites)), _LONGEST_SITES),
        *(_signed(value) for value in (one.measured, one.direct, one.flow, one.estimate)),
        "" if after is None else f"{after.prob:.3f}",
        "" if flag is None else flag.value,
        "" if after is None else _moved(one),
    )


def _moved(one: Effect) -> str:
    """What the changed pass takes from and gives to, like ``-Tokyo -Osaka +Paris``.

    What moves by less than a number here shows is left out: it may be rounding alone.
    """
    assert one.after is not None
    moves = (("-", one.after.losses), ("+", one.after.gains))
    pairs = [
        (sign, token)
        for sign, tokens in moves
        for token in tokens[:_N_MOVED]
        if abs(token.delta) >= _SHOWN
    ]
    return " ".join(sign + shorten(visible(token.text), _LONGEST_TOKEN) for sign, token in pairs)


def _agreement(effects: Effects) -> list[str]:
    if not effects.agreement:
        return []
    return ["agreement with what was measured", *agreement_table(effects.agreement)]


def agreement_table(agreement: Mapping[str, Agreement]) -> list[str]:
    """How well each way of predicting agrees with what was measured, in aligned lines."""
    header = ("", "prediction", "sites", "Pearson", "Spearman", "equal signs")
    rows = [_agreement_row(way, one) for way, one in agreement.items()]
    return align([header, *rows], numeric={2, 3, 4, 5})


def _agreement_row(way: str, one: Agreement) -> tuple[str, ...]:
    sign = "" if one.sign is None else f"{100 * one.sign:.0f} %"
    return ("", way, str(one.n), _plain(one.pearson), _plain(one.spearman), sign)


def _unit(effects: Effects) -> str:
    match effects.unit:
        case Unit.LOGPROB:
            return "target's log-probability"
        case Unit.KL:
            return "whole prediction (divergence, nats)"
    return effects.metric.kind.value.replace("_", " ")


def words_of_way(how: str) -> str:
    """What becomes of a part, as a participle."""
    known = How.parse(how)
    return {
        Way.ZERO: "set to zero",
        Way.MEAN: "set to its mean",
        Way.RESAMPLE: "resampled",
        Way.PATCH: "patched",
        Way.SCALE: f"times {known.factor:g}",
        Way.ADD: f"moved by {known.factor:g} times the reference",
        Way.KNOCKOUT: "not read",
    }[known.way]


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
