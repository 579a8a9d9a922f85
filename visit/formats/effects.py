"""Measured effects as a ``visit.effects/1`` document: inverse pairs, and JSON text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from visit.errors import DocumentError, RequestError
from visit.formats.document import compact_json
from visit.formats.effect_records import (
    data_from_agreement,
    data_from_effect,
    data_from_reference,
    effect_from_data,
    reference_from_data,
)
from visit.formats.fields import drop_absent, keep_known, record_from_json
from visit.formats.records import (
    data_from_metric,
    data_from_token,
    metric_from_data,
    request_from_record,
)
from visit.formats.schema import EFFECTS, check_shape
from visit.graph.effects import Base, Effect, Effects
from visit.graph.flow import ModelInfo, Prediction, Target, Token
from visit.graph.interventions import Site, Unit
from visit.graph.request import data_from_request


def json_from_effects(effects: Effects, created: str | None = None) -> str:
    """The document as JSON text, keys sorted, one effect a line; equal answers, equal text.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    data = data_from_effects(effects, created)
    listed = data.pop("effects")
    try:
        lines = "[\n" + ",\n".join(map(compact_json, listed)) + "\n]"
        parts = {name: compact_json(value) for name, value in data.items()} | {"effects": lines}
    except ValueError:
        raise DocumentError(
            "an effect is not finite, which JSON cannot hold; measure again with --dtype float32"
        ) from None
    return "{" + ",\n".join(f'"{name}":{parts[name]}' for name in sorted(parts)) + "}\n"


def effects_from_json(text: str) -> Effects:
    """Read JSON text back; the inverse of ``json_from_effects``.

    Raises:
        DocumentError: the text is not JSON, or not an effects document.
    """
    return effects_from_data(record_from_json(text))


def data_from_effects(effects: Effects, created: str | None = None) -> dict[str, Any]:
    """The document as plain dictionaries and lists; fields that do not apply are absent.

    Args:
        effects: What was measured.
        created: An ISO time, or ``None`` in a document that must be reproducible.
    """
    reference = effects.reference
    return drop_absent(
        schema=EFFECTS,
        visit_version=effects.visit_version,
        created=created,
        request=data_from_request(effects.request),
        model=drop_absent(**asdict(effects.model)),
        tokens=[data_from_token(token) for token in effects.tokens],
        target=asdict(effects.target),
        versus=None if effects.versus is None else asdict(effects.versus),
        metric=data_from_metric(effects.metric),
        how=effects.how,
        unit=effects.unit.value,
        reference=None if reference is None else data_from_reference(reference),
        base=asdict(effects.base),
        predictions=[asdict(one) for one in effects.predictions],
        effects=[_data_from_effect(one) for one in effects.effects],
        agreement=data_from_agreement(effects.agreement),
    )


def _data_from_effect(effect: Effect) -> dict[str, Any]:
    sites = [str(site) for site in effect.sites]
    named = {"site": sites[0]} if len(sites) == 1 else {"sites": sites}
    return {**named, **data_from_effect(effect)}


def effects_from_data(data: object) -> Effects:
    """Check a document and read it back; the inverse of ``data_from_effects``.

    The agreement and the flags follow from the effects and are worked out again.

    Raises:
        DocumentError: the document is not one; the text names the first place where it is not.
    """
    record = check_shape(data, (EFFECTS,))
    reference = record.get("reference")
    return Effects(
        visit_version=record["visit_version"],
        request=request_from_record(record["request"], "request"),
        model=ModelInfo(**keep_known(ModelInfo, record["model"])),
        tokens=tuple(Token(**keep_known(Token, one)) for one in record["tokens"]),
        target=Target(**keep_known(Target, record["target"])),
        metric=metric_from_data(record["metric"]),
        how=record["how"],
        unit=Unit(record["unit"]),
        base=Base(**keep_known(Base, record["base"])),
        predictions=tuple(
            Prediction(**keep_known(Prediction, one)) for one in record["predictions"]
        ),
        effects=tuple(
            _effect_from_data(one, f"effects[{place}]")
            for place, one in enumerate(record["effects"])
        ),
        versus=Target(**keep_known(Target, record["versus"])) if "versus" in record else None,
        reference=None if reference is None else reference_from_data(reference),
    )


def _effect_from_data(data: dict[str, Any], where: str) -> Effect:
    texts = [data["site"]] if "site" in data else data["sites"]
    try:
        sites = tuple(Site.parse(text) for text in texts)
    except RequestError as error:
        raise DocumentError(f"{where}: {error}") from None
    return effect_from_data(data, sites)
