"""Why a head attends as a ``visit.scores/1`` document: inverse pairs, and JSON text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from visit.errors import DocumentError
from visit.formats.document import json_from_record
from visit.formats.explained import (
    asked_from_data,
    data_from_asked,
    data_from_prompt,
    data_from_tokens,
    node_from_text,
    prompt_from_data,
    tokens_from_data,
)
from visit.formats.fields import drop_absent, keep_known, record_from_json
from visit.formats.records import data_from_outcome, outcome_from_data
from visit.formats.schema import SCORES, check_shape
from visit.graph.scores import ScoreAudit, ScorePair, ScorePart, Scores, ScoreSide, SourceScore


def json_from_scores(scores: Scores, created: str | None = None) -> str:
    """The document as JSON text, keys sorted; equal answers, equal text.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    return json_from_record(data_from_scores(scores, created))


def scores_from_json(text: str) -> Scores:
    """Read JSON text back; the inverse of ``json_from_scores``.

    Raises:
        DocumentError: the text is not JSON, or not a scores document.
    """
    return scores_from_data(record_from_json(text))


def data_from_scores(scores: Scores, created: str | None = None) -> dict[str, Any]:
    """The document as plain dictionaries and lists; fields that do not apply are absent.

    Args:
        scores: The answer.
        created: An ISO time, or ``None`` in a document that must be reproducible.
    """
    return drop_absent(
        schema=SCORES,
        visit_version=scores.visit_version,
        created=created,
        **data_from_asked(scores),
        tokens=data_from_prompt(scores.tokens),
        head=str(scores.head),
        source=scores.source,
        attention=scores.attention,
        score=scores.score,
        bias=scores.bias,
        cap=scores.cap,
        sources=[asdict(one) for one in scores.sources],
        query=_data_from_side(scores.query),
        key=_data_from_side(scores.key),
        pairs=[
            {"query": str(one.query), "key": str(one.key), "score": one.score}
            for one in scores.pairs
        ],
        pairs_rest=scores.pairs_rest,
        audit=asdict(scores.audit),
    )


def _data_from_side(side: ScoreSide) -> dict[str, Any]:
    return {
        "parts": [_data_from_part(part) for part in side.parts],
        "rest": side.rest,
        "n_others": side.n_others,
    }


def _data_from_part(part: ScorePart) -> dict[str, Any]:
    return drop_absent(
        id=str(part.id),
        score=part.score,
        without=part.without,
        top=data_from_tokens(part.top) if part.top else None,
        outcome=None if part.outcome is None else data_from_outcome(part.outcome),
    )


def scores_from_data(data: object) -> Scores:
    """Check a document and read it back; the inverse of ``data_from_scores``.

    Raises:
        DocumentError: the document is not one; the text names the first place where it is not.
    """
    record = check_shape(data, (SCORES,))
    seen = {one["position"] for one in record["sources"]}
    if record["source"] not in seen:
        raise DocumentError(
            f"source is {record['source']}, which is not among the document's sources"
        )
    return Scores(
        visit_version=record["visit_version"],
        **asked_from_data(record),
        tokens=prompt_from_data(record["tokens"]),
        head=node_from_text(record["head"], "head"),
        source=int(record["source"]),
        attention=float(record["attention"]),
        score=float(record["score"]),
        bias=float(record["bias"]),
        cap=float(record["cap"]) if "cap" in record else None,
        sources=tuple(SourceScore(**keep_known(SourceScore, one)) for one in record["sources"]),
        query=_side_from_data(record["query"], "query"),
        key=_side_from_data(record["key"], "key"),
        pairs=tuple(
            ScorePair(
                node_from_text(one["query"], f"pairs[{place}].query"),
                node_from_text(one["key"], f"pairs[{place}].key"),
                float(one["score"]),
            )
            for place, one in enumerate(record["pairs"])
        ),
        pairs_rest=float(record["pairs_rest"]),
        audit=ScoreAudit(**keep_known(ScoreAudit, record["audit"])),
    )


def _side_from_data(data: dict[str, Any], where: str) -> ScoreSide:
    return ScoreSide(
        parts=tuple(
            ScorePart(
                node_from_text(one["id"], f"{where}.parts[{place}].id"),
                float(one["score"]),
                float(one["without"]),
                tokens_from_data(one.get("top", [])),
                outcome_from_data(one["outcome"]) if "outcome" in one else None,
            )
            for place, one in enumerate(data["parts"])
        ),
        rest=float(data["rest"]),
        n_others=int(data["n_others"]),
    )
