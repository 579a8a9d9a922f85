"""Why a head attends, made by hand: small, and with parts that add up like a real one's."""

from __future__ import annotations

from dataclasses import replace

from sample import make_flow

from visit.graph.flow import NodeId, Outcome, TokenFlow, TokenProbability
from visit.graph.scores import ScoreAudit, ScorePair, ScorePart, Scores, ScoreSide, SourceScore


def make_scores(**changes: object) -> Scores:
    """Of ``L1.head0`` at the last of eight tokens, reading ``Japan`` at 3."""
    flow = make_flow()
    last = len(flow.tokens) - 1
    said = (TokenProbability(5, " Tokyo", 0.5), TokenProbability(6, " \u202eKyoto", 0.25))
    outcome = Outcome((TokenFlow(7, " Osaka", 0.75),), ())
    query = ScoreSide(
        parts=(
            ScorePart(NodeId.parse(f"L0.head1@{last}"), 2.0, 0.25, said, outcome),
            ScorePart(NodeId.parse(f"L1.ln1@{last}"), -0.5, 0.875),
        ),
        rest=0.25,
        n_others=3,
    )
    key = ScoreSide(
        parts=(
            ScorePart(NodeId.parse("L0.mlp@3"), 1.5, 0.5, said),
            ScorePart(NodeId.parse("embed@3"), 0.25, 0.625, said),
        ),
        rest=0.0,
        n_others=0,
    )
    scores = Scores(
        visit_version=flow.visit_version,
        request=flow.request,
        model=flow.model,
        tokens=flow.tokens,
        head=NodeId.parse(f"L1.head0@{last}"),
        source=3,
        attention=0.75,
        score=2.0,
        bias=0.25,
        cap=None,
        sources=tuple(
            SourceScore(place, 0.75 if place == 3 else 0.0625, 2.0 if place == 3 else -0.5)
            for place in range(3, last + 1)
        ),
        query=query,
        key=key,
        pairs=(ScorePair(query.parts[0].id, key.parts[0].id, 1.25),),
        pairs_rest=0.5,
        audit=ScoreAudit(1e-9, 1e-12),
    )
    return replace(scores, **changes)
