"""SurveyNorms -> columns: what is read before and after every norm, and of random vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
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
_PAIRS_AT_ONCE = 1 << 24
"""How many probabilities are held at once, before and after: 64 MiB each in float32."""


def survey_norms(question: SurveyNorms, resident: Resident, tell: Progress) -> Surveyed:
    """What norms push down and up."""
    return survey(question, resident, tell, partial(_measure, question))


@dataclass(frozen=True, slots=True)
class _Passed:
    """What enters a norm at the last positions, and what leaves it."""

    before: Float[Tensor, "prompt d_model"]
    after: Float[Tensor, "prompt d_model"]


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
        is_final = place == len(entering) - 1
        random = draw_like(x, batch, question.seed, place)
        own = _compare(batch.resident, _pass(norm, x), is_final, targets)
        control = _compare(batch.resident, _pass(norm, random), is_final, None)
        own |= {f"control_{name}": control[name] for name in ("before", "after")}
        found.append(own)
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


def _pass(norm: Norm, x: Tensor) -> _Passed:
    return _Passed(x, norm(x))


def _compare(
    resident: Resident, passed: _Passed, is_final: bool, targets: Tensor | None
) -> dict[str, Tensor]:
    """What is read before and after; of what ``targets`` asks nothing, where it is not given."""
    classes, frequency = _of_vocabulary(resident)
    found: list[dict[str, Tensor]] = []
    step = max(1, _PAIRS_AT_ONCE // resident.projector.d_vocab)
    for rows in torch.arange(len(passed.before)).split(step):
        before, after = _logits(resident, passed, rows, is_final)
        probs = before.softmax(-1), after.softmax(-1)
        one: dict[str, Tensor] = {}
        for name, prob in zip(("before", "after"), probs, strict=True):
            one[name] = prob @ classes
            if targets is not None:
                one[f"frequency_{name}"] = prob @ frequency
                one[f"entropy_{name}"] = -torch.special.xlogy(prob, prob).sum(-1) / torch.log(
                    prob.new_tensor(2.0)
                )
        if targets is not None:
            ids = targets[rows, None]
            for name, logits in (("before", before), ("after", after)):
                above = (logits > logits.gather(1, ids)).sum(-1)
                one[f"rank_{name}"] = (1 + above).to(logits)
            change = probs[1] - probs[0]
            one["losers"] = find_ends(change, _LISTED, least=True)
            one["gainers"] = find_ends(change, _LISTED)
        found.append(one)
    return {name: torch.cat([one[name] for one in found]) for name in found[0]}


def _logits(
    resident: Resident, passed: _Passed, rows: Tensor, is_final: bool
) -> tuple[Tensor, Tensor]:
    """The logits before and after a norm.

    The lens passes the final norm itself: of that one, what is read before is the residual at the
    same scale without gain and bias, and what is read after is what the model says.
    """
    architecture, projector = resident.loaded.architecture, resident.projector
    if not is_final:
        both = [
            torch.cat(projector.read(vectors[rows], torch.clone))
            for vectors in (passed.before, passed.after)
        ]
        return both[0], both[1]
    norm = architecture.final_norm
    x = projector.cast(passed.before[rows])
    centred = x - x.mean(-1, keepdim=True) if norm.centers else x
    plain = (centred * norm.scale(x)) @ architecture.unembedding.to(x)
    bias = architecture.unembedding_bias
    before = architecture.logits_from(plain, None if bias is None else bias.to(x))
    return before, torch.cat(projector.read(passed.before[rows], torch.clone))


def _of_vocabulary(resident: Resident) -> tuple[Tensor, Tensor]:
    """Each token's class of words, and the logarithm of how often it comes in ordinary text."""

    def make() -> tuple[Tensor, Tensor]:
        like, n = resident.projector.cast(torch.zeros(1, 1)), resident.projector.d_vocab
        order = list(WordClass)
        numbers = [order.index(one) for one in word_classes(resident.tokens.texts(range(n)))]
        classes = torch.nn.functional.one_hot(torch.tensor(numbers), len(order)).to(like)
        counts = torch.ones(n)  # as if each had been seen once more (Laplace)
        for id_ in _reference_ids(resident):
            counts[id_] += 1
        return classes, (counts / counts.sum()).log10().to(like)

    return resident.once("word classes", make)


def _reference_ids(resident: Resident) -> Iterator[int]:
    for paragraph in TEXT.split("\n\n"):  # the tokenizer warns of texts longer than the model reads
        for token in resident.tokens.read(Request(paragraph, bos=False)):
            yield token.id
