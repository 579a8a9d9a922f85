"""SurveyNorms -> columns: what is read before and after every norm, and of random vectors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.assemble.reference_text import TEXT
from visit.assemble.residency import Resident
from visit.assemble.surveying.batches import SurveyBatch, Values, survey
from visit.assemble.surveying.drawn import draw_like
from visit.engine.progress import Progress
from visit.engine.surveys import SurveyNorms
from visit.graph.request import Request
from visit.graph.studied.columns import Array, Surveyed
from visit.graph.studied.function_words import WordClass, word_classes
from visit.lens.measured import find_ends
from visit.models.architectures.base import Block, Norm
from visit.tracing.padded import PaddedLayer

_LISTED, _SAID = 10, 3
_ENDS = ("before", "after", "control_before", "control_after")
"""What is read of a norm: what enters and leaves it, and the same of a random vector."""


def survey_norms(question: SurveyNorms, resident: Resident, tell: Progress) -> Surveyed:
    """What norms push down and up."""
    return survey(question, resident, tell, partial(_measure, question))


def _measure(question: SurveyNorms, batch: SurveyBatch) -> Values:
    architecture, prompts = batch.resident.loaded.architecture, batch.padded
    entering: list[tuple[Norm, Tensor] | None] = []

    def take(number: int, block: Block, layer: PaddedLayer) -> None:
        middle = layer.resid_pre if layer.resid_mid is None else layer.resid_mid
        own = block.ln2 is not None and block.ln2 is not block.ln1
        first = block.ln1
        entering.append(None if first is None else (first, prompts.last(layer.resid_pre)))
        entering.append((block.ln2, prompts.last(middle)) if own and block.ln2 else None)
        if number + 1 == len(architecture.outline):
            entering.append((architecture.final_norm, prompts.last(layer.resid_post)))

    targets = batch.targets(batch.run(take))
    found: list[dict[str, Tensor] | None] = []
    for place, passes in enumerate(entering):
        if passes is None:
            found.append(None)
            continue
        norm, x = passes
        random = draw_like(x, batch, question.seed, place)
        vectors = torch.stack([x, norm(x), random, norm(random)], dim=1)
        is_final = place == len(entering) - 1
        found.append(_compare(batch.resident, vectors, targets, is_final=is_final))
    assert found[-1] is not None
    whole = {
        name: torch.stack([_nothing(like) if one is None else one[name] for one in found], dim=1)
        for name, like in found[-1].items()
    }
    return {**whole, "words": _words(batch.resident, whole)}


def _nothing(like: Tensor) -> Tensor:
    """What stands for a norm that a layer has not."""
    return torch.full_like(like, torch.nan if like.is_floating_point() else -1)


def _words(resident: Resident, found: dict[str, Tensor]) -> Array:
    """The first tokens that lose and gain at each norm, as JSON: they are not numbers."""
    both = torch.stack([found["losers"], found["gainers"]], dim=2)[..., :_SAID]
    said = [
        json.dumps(
            [[resident.tokens.texts(ids) if ids[0] >= 0 else [] for ids in ends] for ends in norms],
            ensure_ascii=False,
        )
        for norms in both.tolist()
    ]
    return np.array(said, dtype=object)


def _compare(
    resident: Resident,
    vectors: Float[Tensor, "prompt end d_model"],
    targets: Int[Tensor, " prompt"],
    *,
    is_final: bool,
) -> dict[str, Tensor]:
    """What is read of the four vectors of each prompt, those of ``_ENDS``."""
    if is_final:
        n_prompts = max(1, resident.projector.chunk // len(_ENDS))
        pieces = zip(vectors.split(n_prompts), targets.split(n_prompts), strict=True)
        found = [_measure_ends(resident, _logits_at_final(resident, v), t) for v, t in pieces]
    else:
        # A chunk holds whole prompts: it is a multiple of eight.
        found = resident.projector.read(
            vectors.flatten(0, 1),
            lambda logits, rows: _measure_ends(
                resident, logits, targets[rows.start // len(_ENDS) : rows.stop // len(_ENDS)]
            ),
        )
    return {name: torch.cat([one[name] for one in found]) for name in found[0]}


def _measure_ends(
    resident: Resident, logits: Float[Tensor, "row d_vocab"], targets: Int[Tensor, " prompt"]
) -> dict[str, Tensor]:
    """The columns of some prompts, by the logits of their four vectors; which are overwritten."""
    of_words = _of_vocabulary(resident)
    one: dict[str, Tensor] = {}
    own = logits.unflatten(0, (-1, len(_ENDS)))[:, :2]
    above = (own > own.gather(-1, targets[:, None, None].expand(-1, 2, 1))).sum(-1)
    for end, rank in zip(_ENDS, above.unbind(1), strict=False):
        one[f"rank_{end}"] = (1 + rank).to(logits)
    below = logits.sub_(logits.amax(-1, keepdim=True))
    weights = below.exp()
    total = weights.sum(-1, keepdim=True)
    mean = torch.einsum("rv,rv->r", weights, below.clamp_min_(-1e4)) / total.squeeze(1)
    entropy = (total.squeeze(1).log() - mean) / math.log(2)
    words = weights @ of_words / total
    for end, said, bits in zip(
        _ENDS,
        words.unflatten(0, (-1, len(_ENDS))).unbind(1),
        entropy.unflatten(0, (-1, len(_ENDS))).unbind(1),
        strict=True,
    ):
        one[end] = said[:, :-1]
        if not end.startswith("control"):
            one[f"frequency_{end}"], one[f"entropy_{end}"] = said[:, -1], bits
    before, after = weights.div_(total).unflatten(0, (-1, len(_ENDS)))[:, :2].unbind(1)
    change = after - before
    one["losers"] = find_ends(change, _LISTED, least=True)
    one["gainers"] = find_ends(change, _LISTED)
    return one


def _logits_at_final(
    resident: Resident, vectors: Float[Tensor, "prompt end d_model"]
) -> Float[Tensor, "row d_vocab"]:
    """The logits before and after the final norm.

    The lens passes that norm itself: what is read before it is the residual at the same scale
    without gain and bias, and what is read after is what the model says.
    """
    architecture, projector = resident.loaded.architecture, resident.projector
    norm = architecture.final_norm
    x = projector.cast(vectors[:, ::2].flatten(0, 1))
    centred = x - x.mean(-1, keepdim=True) if norm.centers else x
    plain = (centred * norm.scale(x)) @ architecture.unembedding.to(x)
    bias = architecture.unembedding_bias
    before = architecture.logits_from(plain, None if bias is None else bias.to(x))
    after = torch.cat(projector.read(x, lambda logits, _: logits.clone()))
    return torch.stack([before, after], dim=1).flatten(0, 1)


def _of_vocabulary(resident: Resident) -> Float[Tensor, "d_vocab column"]:
    """Each token's class of words, and last the logarithm of how often it comes in plain text."""

    def make() -> Tensor:
        like, n = resident.projector.cast(torch.zeros(1, 1)), resident.projector.d_vocab
        order = list(WordClass)
        numbers = [order.index(one) for one in word_classes(resident.tokens.texts(range(n)))]
        classes = torch.nn.functional.one_hot(torch.tensor(numbers), len(order)).to(like)
        counts = torch.ones(n)  # as if each had been seen once more (Laplace)
        for id_ in _reference_ids(resident):
            counts[id_] += 1
        frequency = (counts / counts.sum()).log10().to(like)
        return torch.cat([classes, frequency.unsqueeze(1)], dim=1)

    return resident.once("word classes", make)


def _reference_ids(resident: Resident) -> Iterator[int]:
    for paragraph in TEXT.split("\n\n"):  # the tokenizer warns of texts longer than the model reads
        for token in resident.tokens.read(Request(paragraph, bos=False)):
            yield token.id
