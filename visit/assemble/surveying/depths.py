"""SurveyDepths -> columns: the lens at the last position of every depth."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from visit.assemble.residency import Resident
from visit.assemble.surveying.batches import SurveyBatch, Values, survey
from visit.engine.progress import Progress
from visit.engine.surveys import SurveyDepths
from visit.graph.studied.columns import Surveyed
from visit.lens.measured import entropy_of
from visit.models.architectures.base import Block
from visit.tracing.padded import PaddedLayer


def survey_depths(question: SurveyDepths, resident: Resident, tell: Progress) -> Surveyed:
    """The right answer through the layers."""
    return survey(question, resident, tell, _measure)


def _measure(batch: SurveyBatch) -> Values:
    prompts, residuals = batch.padded, list[Tensor]()

    def take(number: int, block: Block, layer: PaddedLayer) -> None:
        if not residuals:
            residuals.append(prompts.last(layer.resid_pre))
        residuals.append(prompts.last(layer.resid_post))

    logits = batch.run(take)
    targets, answers = batch.targets(logits), logits.argmax(-1)
    stacked = torch.stack(residuals, dim=1)
    n_depths = stacked.shape[1]
    asked = torch.stack([targets, answers], dim=1).repeat_interleave(n_depths, dim=0)

    def read(said: Tensor, rows: slice) -> Tensor:
        log_probs = said.log_softmax(-1)
        own = log_probs.gather(1, asked[rows])
        rank = 1 + (said > said.gather(1, asked[rows, :1])).sum(-1)
        columns = [own.exp(), rank.to(own).unsqueeze(1), entropy_of(log_probs).unsqueeze(1)]
        return torch.cat(columns, dim=1)

    read_all = batch.resident.projector.read(stacked.flatten(0, 1), read)
    columns = torch.cat(read_all).unflatten(0, (-1, n_depths))
    texts = batch.resident.tokens.texts(answers.tolist())
    return {
        "target_prob": columns[..., 0],
        "answer_prob": columns[..., 1],
        "target_rank": columns[..., 2].round().to(torch.int32),
        "entropy": columns[..., 3],
        "is_right": answers == targets,
        "answer": np.array(texts, dtype=object),
    }
