"""Why a head attends as a screenful of text: the source among the others, both sides, the pairs."""

from __future__ import annotations

from itertools import accumulate

from visit.graph.flow import NodeId, NodeKind
from visit.graph.scores import ScorePart, Scores, ScoreSide
from visit.text import align, join_neighbours, one_line, shorten, visible

_LONGEST_TOKEN = 18
_LONGEST_PROMPT = 300
_MOST_SOURCES = 12
_MOST_PAIRS = 10


def text_from_scores(scores: Scores) -> str:
    """The summary, ending in a line end. Every token is shown by ``visible``, never as it is."""
    blocks = [
        _heading(scores),
        _sources(scores),
        _side(scores, scores.query, f"query at {_at(scores, scores.head.position)}"),
        _side(scores, scores.key, f"key at {_at(scores, scores.source)}"),
        _pairs(scores),
        _audit(scores),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _heading(scores: Scores) -> list[str]:
    prompt = one_line(join_neighbours([token.text for token in scores.tokens]))
    lines = [
        shorten(prompt, _LONGEST_PROMPT),
        f" {scores.head} reads {_at(scores, scores.source)}: attention {scores.attention:.3f}, "
        f"score {scores.score:+.3f} over the mean of the {len(scores.sources)} sources it sees",
    ]
    if scores.cap is not None:
        lines.append(
            f"   scores are capped at {scores.cap:g} before the softmax, which no sum survives: "
            "they are told as they are before the cap"
        )
    return lines


def _sources(scores: Scores) -> list[str]:
    best = sorted(scores.sources, key=lambda one: -one.attention)[:_MOST_SOURCES]
    kept = {one.position for one in best} | {scores.source}
    shown = [one for one in scores.sources if one.position in kept]
    rows = [
        (
            "  >" if one.position == scores.source else "   ",
            _at(scores, one.position),
            f"{one.attention:.3f}",
            f"{one.score:+.3f}",
        )
        for one in shown
    ]
    title = "what it reads"
    if len(shown) < len(scores.sources):
        title += f" (the {len(shown)} read most of {len(scores.sources)})"
    return [title, *align([("", "source", "attention", "score"), *rows], numeric={2, 3})]


def _side(scores: Scores, side: ScoreSide, name: str) -> list[str]:
    sums = accumulate(part.score for part in side.parts)
    rows = [
        (
            "",
            f"{part.id}{_bias_of(part.id)}",
            f"{part.score:+.3f}",
            f"{total:+.3f}",
            f"{part.without:.3f}",
            _word(part),
        )
        for part, total in zip(side.parts, sums, strict=True)
    ]
    if side.n_others:
        rows.append(
            ("", f"{side.n_others} others", f"{side.rest:+.3f}", f"{side.total:+.3f}", "", "")
        )
    if scores.bias:
        whole = side.total + scores.bias
        rows.append(("", "for the positions", f"{scores.bias:+.3f}", f"{whole:+.3f}", "", ""))
    header = ("", "part", "score", "running sum", "attention without it", "says")
    return [f"the score by the parts of the {name}", *align([header, *rows], numeric={2, 3, 4})]


def _pairs(scores: Scores) -> list[str]:
    rows = [
        ("", str(pair.query), str(pair.key), f"{pair.score:+.3f}")
        for pair in scores.pairs[:_MOST_PAIRS]
    ]
    return ["the strongest pairs", *align([("", "query", "key", "score"), *rows], numeric={3})]


def _audit(scores: Scores) -> list[str]:
    audit = scores.audit
    return [
        f"audit: parts to score {audit.split:.1e}, attention to the model's own "
        f"{audit.attention:.1e}"
    ]


def _at(scores: Scores, position: int) -> str:
    text = shorten(visible(scores.tokens[position].text), _LONGEST_TOKEN)
    return f"{text} at {position}"


def _word(part: ScorePart) -> str:
    return "" if part.word is None else shorten(visible(part.word), _LONGEST_TOKEN)


def _bias_of(id_: NodeId) -> str:
    """What an id that stands for a bias is said to be."""
    return " (bias)" if id_.kind in (NodeKind.LN1, NodeKind.QUERY, NodeKind.KEY) else ""
