"""SurveyHeads -> columns: norms and overlaps of every head, layer by layer."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from visit.assemble.residency import Resident
from visit.assemble.surveying.batches import SurveyBatch, Values, survey
from visit.assemble.surveying.drawn import draw_like
from visit.engine.progress import Progress
from visit.engine.surveys import SurveyHeads
from visit.explore.overlaps import (
    attended,
    bare_heads,
    match_keys,
    overlap,
    write_heads,
    write_values,
)
from visit.graph.studied.columns import Surveyed
from visit.lens.measured import find_ends
from visit.models.architectures.base import Block
from visit.tracing.padded import PaddedLayer


def survey_heads(question: SurveyHeads, resident: Resident, tell: Progress) -> Surveyed:
    """Whether heads say what the residual stream says."""
    return survey(question, resident, tell, partial(_measure, question))


def _measure(question: SurveyHeads, batch: SurveyBatch) -> Values:
    layers: list[dict[str, Tensor]] = []
    finals: list[Tensor] = []

    def take(number: int, block: Block, layer: PaddedLayer) -> None:
        layers.append(_read_layer(question, batch, number, block, layer))
        if number + 1 == batch.resident.info.n_layers:
            finals.append(layers[-1]["block"])

    batch.run(take)
    found = [_compare(layer, finals[0]) for layer in layers]
    return {name: torch.stack([one[name] for one in found], dim=1) for name in found[0]}


def _read_layer(
    question: SurveyHeads, batch: SurveyBatch, number: int, block: Block, layer: PaddedLayer
) -> dict[str, Tensor]:
    """The tokens that every vector of a layer says first, and what is known without them."""
    prompts, projector = batch.padded, batch.resident.projector
    heads = write_heads(block, prompts, layer)
    vectors = {
        "head": heads,
        "attention": prompts.last(layer.attn_out),
        "block": prompts.last(layer.resid_post),
        "random": draw_like(prompts.last(layer.resid_post), batch, question.seed, number),
    }
    bare = bare_heads(block, prompts, layer)
    if bare is not None:
        vectors["bare"] = bare
    known = {"norm": heads.norm(dim=-1)}
    n_positions = prompts.ids.shape[1]
    count = min(question.values, n_positions)
    sources = attended(prompts, layer, max(1, count))
    if question.queries:
        vectors["seeks"], vectors["offered"] = match_keys(block, prompts, layer, sources[..., 0])
    if question.values:
        values = write_values(block, prompts, layer, sources[..., :count])
        known |= _read_values(question, batch, sources[..., :count], values)
    flat = torch.cat([one.flatten(0, -2) for one in vectors.values()])
    ids = projector.top(flat, question.k).split([one[..., 0].numel() for one in vectors.values()])
    shaped = zip(vectors.items(), ids, strict=True)
    said = {name: found.view(*one.shape[:-1], -1) for (name, one), found in shaped}
    return known | said


def _read_values(
    question: SurveyHeads, batch: SurveyBatch, sources: Tensor, values: Tensor
) -> dict[str, Tensor]:
    """What values say, with NaN for ranks that a prompt has no source for."""
    ids = batch.padded.ids
    n_prompts, n_heads, n_ranks = sources.shape
    tokens = ids.gather(1, sources.flatten(1)).flatten()

    def take(logits: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        own = logits.gather(1, tokens[rows, None]).squeeze(1)
        prob = (own - logits.logsumexp(-1)).exp()
        return find_ends(logits, min(question.k, logits.shape[1])), prob

    said, probs = zip(*batch.resident.projector.read(values.flatten(0, 2), take), strict=True)
    is_there = torch.arange(n_ranks, device=ids.device) < batch.padded.lengths[:, None, None]
    prob = torch.cat(probs).view(n_prompts, n_heads, n_ranks)
    return {
        "values": torch.cat(said).view(n_prompts, n_heads, n_ranks, -1),
        "is_there": is_there,
        "value_token": _ranks_there(prob, is_there, question.values),
    }


def _ranks_there(values: Tensor, is_there: Tensor, n_ranks: int) -> Tensor:
    """Values by rank, as many ranks as were asked for; NaN where a prompt has no such source."""
    known = values.where(is_there, values.new_full((), torch.nan))
    return torch.nn.functional.pad(known, (0, n_ranks - values.shape[-1]), value=torch.nan)


def _compare(said: dict[str, Tensor], final: Tensor) -> dict[str, Tensor]:
    """The overlaps of one layer."""
    attention, block = said["attention"], said["block"]
    wholes = {"attention": attention, "block": block, "final": final}
    found = {"norm": said["norm"]}
    for kind in ("head", "bare"):
        ids = said.get(kind)
        for name, whole in wholes.items():
            if ids is None:
                found[f"{kind}_{name}"] = torch.full_like(said["norm"], torch.nan)
            else:
                found[f"{kind}_{name}"] = overlap(ids, whole.unsqueeze(1))
    found["random_block"] = overlap(said["random"], block)
    found["attention_block"] = overlap(attention, block)
    found["attention_final"] = overlap(attention, final)
    found["block_final"] = overlap(block, final)
    if "values" in said:
        found["value_token"] = said["value_token"]
        shared = overlap(said["values"], said["head"].unsqueeze(2))
        n_ranks = said["value_token"].shape[-1]
        found["value_head"] = _ranks_there(shared, said["is_there"], n_ranks)
    if "seeks" in said:
        found["query_key"] = overlap(said["seeks"], said["offered"])
    return found
