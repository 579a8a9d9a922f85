"""A continuation as a ``visit.generation/1`` document: inverse pairs, and JSON text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from visit.formats.document import json_from_record
from visit.formats.explained import (
    asked_from_data,
    data_from_asked,
    data_from_prompt,
    data_from_tokens,
    prompt_from_data,
    tokens_from_data,
)
from visit.formats.fields import drop_absent, keep_known, record_from_json
from visit.formats.schema import GENERATION, check_shape
from visit.graph.generation import Ending, Generation, Sampling, Step


def json_from_generation(generation: Generation, created: str | None = None) -> str:
    """The document as JSON text, keys sorted; equal answers, equal text.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    return json_from_record(data_from_generation(generation, created))


def generation_from_json(text: str) -> Generation:
    """Read JSON text back; the inverse of ``json_from_generation``.

    Raises:
        DocumentError: the text is not JSON, or not a generation document.
    """
    return generation_from_data(record_from_json(text))


def data_from_generation(generation: Generation, created: str | None = None) -> dict[str, Any]:
    """The document as plain dictionaries and lists; fields that do not apply are absent.

    Args:
        generation: The answer.
        created: An ISO time, or ``None`` in a document that must be reproducible.
    """
    return drop_absent(
        schema=GENERATION,
        visit_version=generation.visit_version,
        created=created,
        **data_from_asked(generation),
        tokens=data_from_prompt(generation.tokens),
        sampling=asdict(generation.sampling),
        steps=[_data_from_step(step) for step in generation.steps],
        ending=generation.ending.value,
    )


def _data_from_step(step: Step) -> dict[str, Any]:
    return drop_absent(
        id=step.id,
        text=step.text,
        prob=step.prob,
        rank=step.rank,
        others=data_from_tokens(step.others),
        given=step.given or None,
    )


def generation_from_data(data: object) -> Generation:
    """Check a document and read it back; the inverse of ``data_from_generation``.

    Raises:
        DocumentError: the document is not one; the text names the first place where it is not.
    """
    record = check_shape(data, (GENERATION,))
    return Generation(
        visit_version=record["visit_version"],
        **asked_from_data(record),
        tokens=prompt_from_data(record["tokens"]),
        sampling=Sampling(**keep_known(Sampling, record["sampling"])),
        steps=tuple(
            Step(
                int(one["id"]),
                one["text"],
                float(one["prob"]),
                int(one["rank"]),
                tokens_from_data(one["others"]),
                one.get("given", False),
            )
            for one in record["steps"]
        ),
        ending=Ending(record["ending"]),
    )
