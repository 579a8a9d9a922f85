"""What an intervention did, as documents have it: inverse pairs.

A document of effects has one of each site; a flow document, of each node that was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from visit.formats.fields import drop_absent, keep_known, read_number
from visit.graph.effect import WAYS_OF_PREDICTING, After, Agreement, Effect, TokenDelta
from visit.graph.effects import Reference
from visit.graph.interventions import Site
from visit.graph.metric import TokenProbability

_T = TypeVar("_T", TokenProbability, TokenDelta)


def data_from_effect(effect: Effect) -> dict[str, Any]:
    """An effect's numbers; its sites are said by the record that it stands in."""
    after = effect.after
    return drop_absent(
        direct=effect.direct,
        flow=effect.flow,
        estimate=effect.estimate,
        measured=effect.measured,
        normalised=effect.normalised,
        flag=None if effect.flag is None else effect.flag.value,
        after=None if after is None else _data_from_after(after),
    )


def effect_from_data(data: dict[str, Any], sites: tuple[Site, ...]) -> Effect:
    """Read an effect back; its flag follows from the numbers and is worked out again."""
    return Effect(
        sites=sites,
        measured=read_number(data, "measured"),
        direct=read_number(data, "direct"),
        flow=read_number(data, "flow"),
        estimate=read_number(data, "estimate"),
        after=_after_from_data(data["after"]) if "after" in data else None,
        normalised=read_number(data, "normalised"),
    )


def data_from_reference(reference: Reference) -> dict[str, Any]:
    """Where an intervention's values come from."""
    return drop_absent(
        name=reference.name,
        prompts=list(reference.prompts) or None,
        n_positions=reference.n_positions,
        metric=reference.metric,
    )


def reference_from_data(data: dict[str, Any]) -> Reference:
    """Read a reference back."""
    known = keep_known(Reference, data)
    return Reference(**{**known, "prompts": tuple(data.get("prompts", ()))})


def data_from_agreement(agreement: Mapping[str, Agreement]) -> dict[str, Any]:
    """How well each way of predicting agrees with what was measured."""
    return {way: drop_absent(**asdict(one)) for way, one in agreement.items()}


def agreement_from_data(data: dict[str, Any]) -> dict[str, Agreement]:
    """Read agreements back; ways that this version does not know are passed over."""
    known = (way for way in WAYS_OF_PREDICTING if way in data)
    empty = dict.fromkeys(("pearson", "spearman", "sign"))
    return {way: Agreement(**{**empty, **keep_known(Agreement, data[way])}) for way in known}


def _data_from_after(after: After) -> dict[str, Any]:
    return {
        "prob": after.prob,
        "rank": after.rank,
        "kl": after.kl,
        "top": [one._asdict() for one in after.top],
        "gains": [one._asdict() for one in after.gains],
        "losses": [one._asdict() for one in after.losses],
    }


def _after_from_data(data: dict[str, Any]) -> After:
    return After(
        prob=float(data["prob"]),
        rank=int(data["rank"]),
        kl=float(data["kl"]),
        top=_tokens(TokenProbability, data["top"], "prob"),
        gains=_tokens(TokenDelta, data["gains"], "delta"),
        losses=_tokens(TokenDelta, data["losses"], "delta"),
    )


def _tokens(type_: type[_T], records: Iterable[dict[str, Any]], number: str) -> tuple[_T, ...]:
    return tuple(type_(int(one["id"]), one["text"], float(one[number])) for one in records)
