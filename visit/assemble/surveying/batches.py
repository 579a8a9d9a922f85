"""Prompts of a survey -> batches that run together -> columns, a row a prompt.

1. Each prompt is tokenized, and its target found; what cannot be read is said and left out.
2. Prompts of like length run together, as many as the memory holds. Where it runs out, a batch is
   halved and goes on; what one prompt alone has not the memory for is left out.
3. What is measured of each batch is put together in the order of the prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.assemble.residency import Resident
from visit.engine.progress import Progress
from visit.engine.surveys import Survey
from visit.errors import RequestError
from visit.graph.request import check_text
from visit.graph.studied.columns import Array, Surveyed, Unmeasured
from visit.models.loading.memory import free_bytes, is_out_of_memory
from visit.tracing.padded import HeldMemories, OnLayer, Padded, PaddedLayer, run_padded

POSITIONS_AT_ONCE = 1 << 10
"""How many positions run together at most: more make a pass no quicker on a CPU."""
_PART_OF_MEMORY = 0.25


@dataclass(frozen=True, slots=True)
class SurveyPrompt:
    """A prompt that can be run.

    Attributes:
        place: Its place in the question.
        ids: Its tokens.
        target_id: The first token of its right answer; ``None`` where none is named.
    """

    place: int
    ids: tuple[int, ...]
    target_id: int | None


@dataclass(frozen=True, slots=True)
class SurveyBatch:
    """Prompts that run together.

    Attributes:
        resident: What runs them.
        prompts: They.
        padded: Their tokens.
    """

    resident: Resident
    prompts: Sequence[SurveyPrompt]
    padded: Padded

    def run(
        self,
        on_layer: OnLayer | None = None,
        held: Mapping[int, HeldMemories] | None = None,
        *,
        everywhere: bool = False,
    ) -> Float[Tensor, "prompt *pos d_vocab"]:
        """One forward pass, as ``run_padded`` has it.

        Raises:
            RequestError: a logit at a prompt's last position is NaN or infinite. The batch is then
                halved, down to that prompt.
        """
        loaded = self.resident.loaded
        logits = run_padded(
            loaded.model, loaded.architecture, self.padded, on_layer, held, everywhere=everywhere
        )
        said = self.padded.last(logits) if everywhere else logits
        if not bool(said.isfinite().all()):
            raise RequestError("its logits hold NaN or infinity; try --dtype float32")
        return logits

    def gather(self, take: Callable[[PaddedLayer], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """What is taken of every layer of one pass, by name: ``[prompt, layer, …]``.

        Args:
            take: Given a layer, what is told of it, a row a prompt.
        """
        layers: list[Mapping[str, Tensor]] = []
        self.run(lambda number, block, layer: layers.append(take(layer)))
        return {name: torch.stack([one[name] for one in layers], dim=1) for name in layers[0]}

    def targets(self, logits: Float[Tensor, "prompt d_vocab"]) -> Int[Tensor, " prompt"]:
        """What is explained of each: the answer that it names, or the model's own top token."""
        own = logits.argmax(-1).tolist()
        pairs = zip(self.prompts, own, strict=True)
        ids = [top if one.target_id is None else one.target_id for one, top in pairs]
        return torch.tensor(ids, device=logits.device)

    @property
    def has_target(self) -> tuple[bool, ...]:
        """Which prompts name their right answer."""
        return tuple(one.target_id is not None for one in self.prompts)


Values = Mapping[str, Tensor | Array]
MeasureBatch = Callable[[SurveyBatch], Values]
"""What is measured of a batch, by column: a row a prompt."""


def survey(question: Survey, resident: Resident, tell: Progress, measure: MeasureBatch) -> Surveyed:
    """Columns of all of a question's prompts.

    Args:
        question: What is asked.
        resident: The model.
        tell: Told the part of the prompts that is done; what it raises ends the work.
        measure: What is measured of a batch.

    Raises:
        RequestError: the request asks for what no survey can do.
    """
    request = question.request
    for name in ("chat", "interventions", "prompt_ids"):
        if getattr(request, name):
            raise RequestError(f"a study reads prompts as text; leave {name} out")
    failed: list[Unmeasured] = []
    prompts = list(_read(question, resident, failed))
    parts: list[tuple[Sequence[SurveyPrompt], Values]] = []
    done, home = 0, resident.loaded.architecture.unembedding.device
    with torch.inference_mode():
        for batch in _batches(prompts, question.positions or positions_at_once(resident)):
            tell("prompts", done / len(prompts))
            parts += _measure_halving(batch, resident, home, measure, failed)
            done += len(batch)
    return _join(question, parts, failed)


def positions_at_once(resident: Resident) -> int:
    """How many positions fit the memory that is free, as far as is known before they run."""
    sizes = resident.loaded.architecture.sizes
    # One layer's tensors, the residual, and what a pass makes of them in between.
    wide = 8 * sizes.d_model + 3 * sizes.n_heads * sizes.d_head + 4 * sizes.d_mlp
    free = free_bytes(resident.loaded.architecture.unembedding.device) * _PART_OF_MEMORY
    least = 64
    most = POSITIONS_AT_ONCE
    if resident.loaded.architecture.unembedding.device.type != "cpu":
        most *= 16
    return int(min(most, max(least, free / (4 * wide))))


def _read(question: Survey, resident: Resident, failed: list[Unmeasured]) -> Iterator[SurveyPrompt]:
    for place, (text, target) in enumerate(zip(question.prompts, question.targets, strict=True)):
        try:
            request = replace(question.request, prompt=text, target=None, target_id=None)
            check_text(request)
            ids = tuple(token.id for token in resident.read(request))
            answer = resident.tokens.continued(request, target)[:1] if target else ()
            if question.needs_targets and not answer:
                raise RequestError("it names no right answer; give one in the column target")
            yield SurveyPrompt(place, ids, answer[0] if answer else None)
        except RequestError as problem:
            failed.append(Unmeasured(place, str(problem)))


def _batches(prompts: Sequence[SurveyPrompt], most: int) -> Iterator[list[SurveyPrompt]]:
    """Prompts in order of their length, as many together as have so many positions when padded."""
    batch: list[SurveyPrompt] = []
    for one in sorted(prompts, key=lambda one: (len(one.ids), one.place)):
        if batch and (len(batch) + 1) * len(one.ids) > most:
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _measure_halving(
    prompts: Sequence[SurveyPrompt],
    resident: Resident,
    home: torch.device,
    measure: MeasureBatch,
    failed: list[Unmeasured],
) -> list[tuple[Sequence[SurveyPrompt], Values]]:
    """What is measured of a batch, or of its halves where memory runs out or a prompt fails it."""
    try:
        batch = SurveyBatch(resident, prompts, Padded.of([one.ids for one in prompts], home))
        return [(prompts, _on_cpu(measure(batch)))]
    except RequestError as error:
        problem = str(error)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        problem = f"memory does not suffice for its {len(prompts[0].ids)} tokens"
    # The error and its frames, which hold tensors, are gone here.
    if home.type == "cuda":
        torch.cuda.empty_cache()
    if len(prompts) == 1:
        failed.append(Unmeasured(prompts[0].place, problem))
        return []
    half = len(prompts) // 2
    return [
        one
        for part in (prompts[:half], prompts[half:])
        for one in _measure_halving(part, resident, home, measure, failed)
    ]


def _on_cpu(values: Values) -> Values:
    return {
        name: value.cpu().numpy() if isinstance(value, Tensor) else value
        for name, value in values.items()
    }


def _join(
    question: Survey,
    parts: Sequence[tuple[Sequence[SurveyPrompt], Values]],
    failed: list[Unmeasured],
) -> Surveyed:
    failed = sorted(failed, key=lambda one: one.place)
    if not parts:
        return Surveyed((), {}, (), tuple(failed))
    places = [one.place for prompts, _ in parts for one in prompts]
    order = sorted(range(len(places)), key=places.__getitem__)
    names = parts[0][1]
    columns = tuple(one for one in question.columns if one.name in names)
    return Surveyed(
        columns,
        {one.name: np.concatenate([values[one.name] for _, values in parts])[order]
         for one in columns},
        tuple(places[at] for at in order),
        tuple(failed),
    )  # fmt: skip
