"""SurveyMemories, SurveyRemoval -> columns: which memories are strongest, and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from visit.assemble.residency import Resident
from visit.assemble.surveying.batches import SurveyBatch, Values, survey
from visit.engine.progress import Progress
from visit.engine.surveys import (
    CONDITIONS,
    MemoryWords,
    ReadMemories,
    SurveyActivations,
    SurveyMemories,
    SurveyRemoval,
)
from visit.errors import RequestError
from visit.graph.studied.columns import Surveyed
from visit.lens.measured import entropy_of
from visit.models.architectures.base import Block, Mlp
from visit.tracing.padded import HeldMemories, PaddedLayer
from visit.tracing.ties import find_greatest

_WORDS = 10


def survey_memories(question: SurveyMemories, resident: Resident, tell: Progress) -> Surveyed:
    """Which memories are strongest on each prompt.

    Raises:
        RequestError: the model's layers are mixtures of experts, which have none.
    """
    _check_memories(resident)
    return survey(question, resident, tell, partial(_find_strongest, question.strongest))


def survey_activations(question: SurveyActivations, resident: Resident, tell: Progress) -> Surveyed:
    """Every memory's activation on each prompt.

    Raises:
        RequestError: as in ``survey_memories``.
    """
    _check_memories(resident)
    return survey(question, resident, tell, _find_activations)


def _check_memories(resident: Resident) -> None:
    if resident.info.n_experts is not None:
        raise RequestError(
            f"{resident.info.name} has layers with experts in place of memories; this study reads "
            "models without"
        )


def _find_activations(batch: SurveyBatch) -> Values:
    padded = batch.padded
    weights = padded.is_own() / padded.lengths.unsqueeze(1)

    def take(layer: PaddedLayer) -> dict[str, Tensor]:
        activation = _activation(layer)
        mean = torch.einsum("pi,pim->pm", weights.to(activation), activation)
        return {"activation": padded.last(activation).float(), "mean": mean.float()}

    return batch.gather(take)


def _find_strongest(count: int, batch: SurveyBatch) -> Values:
    def take(layer: PaddedLayer) -> dict[str, Tensor]:
        activation = batch.padded.last(_activation(layer))
        places = find_greatest(activation.abs(), count)
        return {
            "strongest": places.to(torch.int32),
            "activation": activation.gather(-1, places).float(),
        }

    return batch.gather(take)


def _activation(layer: PaddedLayer) -> Float[Tensor, "prompt pos d_mlp"]:
    assert layer.activation is not None  # no model with experts comes here
    return layer.activation


def read_memories(
    question: ReadMemories, resident: Resident, tell: Progress
) -> tuple[MemoryWords, ...]:
    """What the values of some memories say.

    Raises:
        RequestError: the model has no such memory.
    """
    _check_memories(resident)
    _check_named(resident, question.memories)
    found: list[MemoryWords] = []
    rows: list[Tensor] = []
    for layer, number in question.memories:
        mlp = resident.loaded.architecture.blocks[layer].mlp
        assert isinstance(mlp, Mlp)
        rows.append(mlp.w_out[number])
    if not rows:
        return ()
    vectors = resident.projector.cast(torch.stack(rows))
    said = resident.projector.measure(vectors, _WORDS)
    columns = zip(question.memories, vectors.norm(dim=-1).tolist(), said.entropy.tolist(),
                  said.top_ids.tolist(), strict=True)  # fmt: skip
    for (layer, number), norm, entropy, ids in columns:
        words = tuple(resident.tokens.texts(ids))
        found.append(MemoryWords(layer, number, norm, entropy, words))
    return tuple(found)


def _check_named(resident: Resident, memories: Sequence[tuple[int, int]]) -> None:
    sizes = resident.loaded.architecture.sizes
    for one in memories:
        if len(one) != 2 or not (0 <= one[0] < sizes.n_layers and 0 <= one[1] < sizes.d_mlp):
            raise RequestError(
                f"{list(one)} is no memory; give layers below {sizes.n_layers} and numbers "
                f"below {sizes.d_mlp}"
            )


def survey_removal(question: SurveyRemoval, resident: Resident, tell: Progress) -> Surveyed:
    """What a prediction is with memories held.

    Raises:
        RequestError: the model has no such memory, or none at all, or one has no mean.
    """
    _check_memories(resident)
    pairs = ((question.memories, question.means), (question.others, question.other_means))
    for memories, means in pairs:
        if len(memories) != len(means):
            raise RequestError(f"{len(memories)} memories and {len(means)} means; give each one")
        _check_named(resident, memories)
    home = resident.loaded.architecture.unembedding.device
    zero, other_zero = ((0.0,) * len(memories) for memories, _ in pairs)
    held = [
        {},
        *(_hold(question.memories, to, home) for to in (zero, question.means)),
        *(_hold(question.others, to, home) for to in (other_zero, question.other_means)),
    ]
    return survey(question, resident, tell, partial(_compare, held, question.strongest))


def _hold(
    memories: Sequence[tuple[int, int]], to: Sequence[float], home: torch.device
) -> dict[int, HeldMemories]:
    by_layer: dict[int, list[tuple[int, float]]] = {}
    for (layer, number), activation in zip(memories, to, strict=True):
        by_layer.setdefault(layer, []).append((number, activation))
    return {
        layer: HeldMemories(
            torch.tensor([number for number, _ in some], device=home),
            torch.tensor([activation for _, activation in some], device=home),
        )
        for layer, some in by_layer.items()
    }


def _compare(held: Sequence[dict[int, HeldMemories]], strongest: int, batch: SurveyBatch) -> Values:
    memories, n_on = held[1], list[Tensor]()

    def count(number: int, block: Block, layer: PaddedLayer) -> None:
        activation = batch.padded.last(_activation(layer)).abs()
        active = torch.zeros_like(activation, dtype=torch.int32)
        active.scatter_(1, find_greatest(activation, strongest), 1)
        none = torch.empty(0, dtype=torch.long, device=active.device)
        own = memories[number].places if number in memories else none
        n_on.append(active[:, own].sum(-1, dtype=torch.int32))

    found: list[dict[str, Tensor]] = []
    top: Tensor | None = None
    for place, one in enumerate(held):
        logits = batch.run(count if place == 0 else None, one, everywhere=True)
        said, text_loss = _last_and_loss(batch, logits)
        del logits  # the largest tensor there is
        log_probs = said.log_softmax(-1)
        top = said.argmax(-1) if top is None else top
        target = log_probs.gather(1, batch.targets(said)[:, None]).squeeze(1)
        is_named = torch.tensor(batch.has_target, device=said.device)
        found.append(
            {
                "loss": (-target).where(is_named, target.new_full((), torch.nan)),
                "text_loss": text_loss,
                "entropy": entropy_of(log_probs),
                "confidence": log_probs.amax(-1).exp(),
                "same_top": said.argmax(-1) == top,
            }
        )
    assert len(found) == len(CONDITIONS)
    columns = {name: torch.stack([one[name] for one in found], dim=1) for name in found[0]}
    return {"n_on": torch.stack(n_on, dim=1), **columns}


def _last_and_loss(
    batch: SurveyBatch, logits: Float[Tensor, "prompt pos d_vocab"]
) -> tuple[Float[Tensor, "prompt d_vocab"], Float[Tensor, " prompt"]]:
    """What is said at the last positions, and the mean surprise at a prompt's tokens but the first.

    NaN of a prompt of one token.
    """
    padded = batch.padded
    n_read = padded.lengths - 1
    if logits.shape[1] == 1:
        return logits[:, 0], logits.new_full((len(logits),), torch.nan)
    surprise = torch.stack(
        [
            torch.nn.functional.cross_entropy(row[:-1], ids[1:], reduction="none")
            for row, ids in zip(logits, padded.ids, strict=True)
        ]
    )
    counted = surprise.where(padded.is_own()[:, 1:], surprise.new_zeros(()))
    return padded.last(logits), counted.sum(-1) / n_read.where(n_read > 0, torch.nan)
