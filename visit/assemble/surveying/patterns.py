"""SurveyPatterns, SurveySinks -> columns: what heads are known by, and where attention rests."""

from __future__ import annotations

import torch
from torch import Tensor

from visit.assemble.residency import Resident
from visit.assemble.surveying.batches import SurveyBatch, Values, survey
from visit.engine.progress import Progress
from visit.engine.surveys import SurveyPatterns, SurveySinks
from visit.explore.head_scores import marks, score_heads
from visit.explore.sinks import mean_attention, outliers_of
from visit.graph.studied.columns import Surveyed
from visit.models.architectures.base import Block
from visit.tracing.padded import PaddedLayer


def survey_patterns(question: SurveyPatterns, resident: Resident, tell: Progress) -> Surveyed:
    """Every head's scores on each prompt; NaN of a kind whose source no reader has."""
    return survey(question, resident, tell, _score)


def _score(batch: SurveyBatch) -> Values:
    marked = [marks(one.ids) for one in batch.prompts]

    def take(layer: PaddedLayer) -> dict[str, Tensor]:
        scores = [
            score_heads(pattern[:, : len(one[0]), : len(one[0])], one)
            for pattern, one in zip(layer.attention, marked, strict=True)
        ]
        return {"score": torch.stack(scores).float()}

    return {"score": batch.gather(take)["score"].transpose(1, 2)}


def survey_sinks(question: SurveySinks, resident: Resident, tell: Progress) -> Surveyed:
    """Where attention rests, and how far single coordinates stand out."""
    return survey(question, resident, tell, _find_sinks)


def _find_sinks(batch: SurveyBatch) -> Values:
    lengths = [len(one.ids) for one in batch.prompts]
    by_layer: list[dict[str, Tensor]] = []
    by_depth: list[dict[str, Tensor]] = []

    def take(number: int, block: Block, layer: PaddedLayer) -> None:
        if not by_depth:
            by_depth.append(_stand_out(layer.resid_pre, lengths))
        by_depth.append(_stand_out(layer.resid_post, lengths))
        pairs = zip(layer.attention, lengths, strict=True)
        means = [mean_attention(pattern[:, :n, :n]) for pattern, n in pairs]
        most = [one.max(-1) for one in means]
        by_layer.append(
            {
                "on_first": torch.stack([one[:, 0] for one in means]).float(),
                "on_strongest": torch.stack([one.values for one in most]).float(),
                "sink": torch.stack([one.indices for one in most]).to(torch.int32),
            }
        )

    batch.run(take)
    return {
        name: torch.stack([one[name] for one in found], dim=1)
        for found in (by_layer, by_depth)
        for name in found[0]
    }


def _stand_out(residual: Tensor, lengths: list[int]) -> dict[str, Tensor]:
    """Of each prompt's residual at one depth, the coordinate that is farthest out."""
    rows: list[tuple[float, float, int, int, float, float]] = []
    for own, n in zip(residual, lengths, strict=True):
        where, coordinate, times = (one[0] for one in outliers_of(own[:n], 1))
        norms = own[:n].double().norm(dim=-1)
        others = float(norms[1:].mean()) if n > 1 else float("nan")
        size = abs(float(own[where, coordinate]))
        rows.append((size, float(times), int(where), int(coordinate), float(norms[0]), others))
    names = ("largest", "times_median", "where", "coordinate", "norm_first", "norm_others")
    whole = ("where", "coordinate")
    return {
        name: torch.tensor(column, dtype=torch.int32 if name in whole else torch.float32)
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
