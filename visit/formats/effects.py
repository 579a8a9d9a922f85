"""Measured effects as a ``visit.effects/1`` document: inverse pairs, and JSON text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from visit.formats.document import json_from_record
from visit.formats.effect_records import (
    data_from_agreement,
    data_from_effect,
    data_from_reference,
    effect_from_data,
    reference_from_data,
)
from visit.formats.explained import data_from_explained, explained_from_data, site_from_text
from visit.formats.fields import drop_absent, keep_known, record_from_json
from visit.formats.schema import EFFECTS, check_shape
from visit.graph.effects import Base, Effect, Effects
from visit.graph.flow import Prediction
from visit.graph.interventions import Unit


def json_from_effects(effects: Effects, created: str | None = None) -> str:
    """The document as JSON text, keys sorted, one effect a line; equal answers, equal text.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    return json_from_record(data_from_effects(effects, created), by_line=("effects",))


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
        **data_from_explained(effects),
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
        **explained_from_data(record),
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
        reference=None if reference is None else reference_from_data(reference),
    )


def _effect_from_data(data: dict[str, Any], where: str) -> Effect:
    texts = [data["site"]] if "site" in data else data["sites"]
    return effect_from_data(data, tuple(site_from_text(text, where) for text in texts))
