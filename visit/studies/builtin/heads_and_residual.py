"""Whether heads say what the residual stream says: VISIT's first finding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visit.engine.surveys import SurveyHeads
from visit.graph.studied.columns import Array
from visit.graph.studied.figure import Figure
from visit.studies.builtin.of_survey import SurveyStudy
from visit.studies.drawing import highest, line, lines_figure, map_figure, share_in_words
from visit.studies.rows import Rows

_SHARE = (0.0, 1.0)
_WORDS = "part of words shared"


class HeadsAndResidual(SurveyStudy):
    """Whether heads say what the residual stream says."""

    name = "heads-and-residual"
    version = 1
    title = "Heads and the residual stream"
    summary = (
        "How many of the tokens that a head says first, read by the lens at the last position, "
        "are those that attention's output, the block's output and the last residual say first."
    )
    asks = SurveyHeads

    def report(self, rows: Rows) -> Sequence[Figure]:
        """By layer, by rank of the head's norm, by rank of attention; and queries and keys."""
        figures = [_by_layer(rows), _by_rank(rows), _blocks(rows)]
        if "value_head" in rows.values:
            figures += [_values(rows), _own_token(rows)]
        if "query_key" in rows.values:
            figures.append(_queries(rows))
        return figures


def _over_heads(values: Array) -> Array:
    """The mean over a layer's heads; NaN where nothing is known of any."""
    with np.errstate(invalid="ignore"):
        sums: Array = values.sum(-1)
        if np.isfinite(sums).all():
            whole: Array = sums / np.float64(values.shape[-1])
            return whole
        known = np.isfinite(values)
        sums = np.where(known, values, 0.0).sum(-1)
        return np.where(known.any(-1), sums / np.maximum(known.sum(-1), 1), np.nan)


def _by_layer(rows: Rows) -> Figure:
    every = [
        line(name, _over_heads(rows[column]), within=_SHARE)
        for name, column in (
            ("head and attention's output", "head_attention"),
            ("head and the block's output", "head_block"),
            ("head and the last residual", "head_final"),
            ("before W_O: head and attention's output", "bare_attention"),
            ("before W_O: head and the block's output", "bare_block"),
        )
    ]
    every.append(line("random vector and the block's output", rows["random_block"], within=_SHARE))
    lines = [one for one in every if any(mean is not None for mean in one.mean)]
    at = highest(every[1])
    says = (
        f"A head shares {share_in_words(every[1], at)} of its first {rows.options['k']} tokens "
        f"with its block's output in layer {at}, where they share most; the same head before W_O "
        f"{share_in_words(every[4], at)}, a random vector {share_in_words(every[5], at)}."
    )
    return lines_figure(
        "heads-by-layer", "Heads' words and the residual's, with W_O and without", says, lines,
        x_title="layer", y_title=_WORDS, n=len(rows),
        expected="none shared without W_O, and with it more with depth, few in the first quarter "
        "of the layers and fewer again in the last (GPT-2 medium, figure 2)",
    )  # fmt: skip


def _by_rank(rows: Rows) -> Figure:
    norms, overlaps = rows["norm"], rows["head_block"]
    order = np.argsort(-norms, axis=-1, kind="stable")
    ranked = np.take_along_axis(overlaps, order, axis=-1)
    n_shown = min(8, ranked.shape[-1])
    shown = ranked[..., :n_shown].transpose(0, 2, 1)
    later = slice(ranked.shape[1] // 2, None)
    of_rank = line("rank", ranked[:, later].mean(1), within=_SHARE)
    says = (
        f"In the later half of the layers the head of largest norm shares "
        f"{share_in_words(of_rank, 0)} of the block's words"
    )
    if norms.shape[-1] > 1:
        says += f", the second {share_in_words(of_rank, 1)}"
    if norms.shape[-1] > 3:
        rest = line("rest", ranked[:, later, 3:].mean((1, 2))[:, None], within=_SHARE)
        says += f", those from the fourth on {share_in_words(rest, 0)}"
    says += "."
    return map_figure(
        "heads-by-norm", "Which heads share the block's words, by rank of their norm", says,
        shown, [f"rank {rank + 1}" for rank in range(n_shown)], x_title="layer",
        y_title=_WORDS, n=len(rows), within=_SHARE,
        expected="that only the one to three heads of largest norm share the block's words "
        "(figures 3 and 12)",
    )  # fmt: skip


def _blocks(rows: Rows) -> Figure:
    lines = [
        line("attention's output and the block's", rows["attention_block"], within=_SHARE),
        line("attention's output and the last residual", rows["attention_final"], within=_SHARE),
        line("the block's output and the last residual", rows["block_final"], within=_SHARE),
    ]
    at = highest(lines[0])
    says = (
        f"Attention's output shares most words with its block's output in layer {at}: "
        f"{share_in_words(lines[0], at)}."
    )
    return lines_figure(
        "attention-by-layer", "Attention's output, the block's and the last residual", says, lines,
        x_title="layer", y_title=_WORDS, n=len(rows),
    )  # fmt: skip


def _values(rows: Rows) -> Figure:
    by_rank = _over_heads(rows["value_head"].transpose(0, 3, 1, 2))
    n_ranks = by_rank.shape[1]
    over_layers = line("rank", _over_heads(by_rank), within=_SHARE)
    said = [share_in_words(over_layers, rank) for rank in range(n_ranks)]
    says = (
        "Over all layers, the value of the source that a head attends to most shares "
        f"{said[0]} of the head's words"
    )
    says += f"; those after it {', '.join(said[1:])}." if n_ranks > 1 else "."
    return map_figure(
        "values-by-attention", "Which values share their head's words, by rank of attention", says,
        by_rank, [f"rank {rank + 1}" for rank in range(n_ranks)], x_title="layer",
        y_title=_WORDS, n=len(rows), within=_SHARE,
        expected="that only the first three ranks share the head's words, from about layer 4 "
        "(figures 5 and 16)",
    )  # fmt: skip


def _own_token(rows: Rows) -> Figure:
    own = line("value of the most attended source", _over_heads(rows["value_token"][..., 0]),
               within=_SHARE)  # fmt: skip
    at = highest(own)
    says = (
        "A value says its own source's token with a probability of at most "
        f"{share_in_words(own, at)}, in layer {at}; in the last layer {share_in_words(own, -1)}."
    )
    return lines_figure(
        "own-token", "Whether a value says the token that it is of", says, [own],
        x_title="layer", y_title="probability of the source's token", n=len(rows),
        expected="that it rises in later layers (figure 18)",
    )  # fmt: skip


def _queries(rows: Rows) -> Figure:
    shared = line("query and key", _over_heads(rows["query_key"]), within=_SHARE)
    at = highest(shared)
    says = (
        f"A query shares at most {share_in_words(shared, at)} of its words with the key of the "
        f"source that its head attends to most, in layer {at}."
    )
    return lines_figure(
        "queries-and-keys", "Queries and the keys that they find", says, [shared],
        x_title="layer", y_title=_WORDS, n=len(rows),
        expected="that they share about none (figures 19 and 20)",
    )  # fmt: skip
