"""Many prompts with the same slots -> Consensus: what every part does, on average and how surely.

1. Each prompt is tokenized and its tokens are given slots; what cannot be read is left out.
2. Prompts of equal length run together, some at a time: one pass, one sweep back for every prompt's
   own flow, and one sweep of changed passes that sets every head and MLP to zero at the traced
   position.
3. Their numbers go into arrays, a row a prompt, of which ``consensus_numbers`` makes the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from visit import __version__
from visit.assemble.consensus_numbers import Numbers
from visit.assemble.named import resolve_position
from visit.assemble.residency import Resident
from visit.attribution.batch_flow import find_batch_flow
from visit.attribution.metric import Metric, choose_metric, find_candidates
from visit.engine.progress import Progress
from visit.engine.questions import ReadConsensus
from visit.errors import RequestError
from visit.graph.consensus import Consensus, LeftOut, PromptResult
from visit.graph.flow import NodeKind, Target
from visit.graph.interventions import Site
from visit.graph.metric import MetricKind
from visit.graph.request import Request, check_text
from visit.graph.slots import Place, Slot, places_by_ends, places_in_template, slots_of
from visit.graph.template import Template
from visit.tracing.batch import Batch, record_batch, resume_batch
from visit.tracing.hooks import run_like
from visit.tracing.interventions import Edit
from visit.tracing.precision import reading_dtype
from visit.tracing.sweep import Variant, run_changed_together

POSITIONS_AT_ONCE = 256
"""How many positions of prompts run together at most: their layers are all kept meanwhile."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A prompt that can be run.

    Attributes:
        line: Where it stands in its file.
        request: It and its target.
        ids: Its tokens, up to the traced one.
        texts: Theirs.
        places: Theirs, in the template.
    """

    line: int
    request: Request
    ids: tuple[int, ...]
    texts: tuple[str, ...]
    places: tuple[Place, ...] = ()


def read_consensus(question: ReadConsensus, resident: Resident, tell: Progress) -> Consensus:
    """One graph over the question's prompts.

    Raises:
        RequestError: none of them can be read, or the request asks for what no batch can do.
    """
    for name in ("chat", "interventions", "prompt_ids"):
        if getattr(question.request, name):
            raise RequestError(f"a consensus reads prompts as text; leave {name} out")
    template = Template.parse(question.template) if question.template else None
    left_out: list[LeftOut] = []
    prompts = _align(list(_read(question, template, resident, left_out)), template, left_out)
    if not prompts:
        why = f"line {left_out[0].line}: {left_out[0].reason}" if left_out else "there is none"
        raise RequestError(f"no prompt can be read; {why}")
    slots, numbers_of = _slots_of(prompts, template)
    sizes = resident.loaded.architecture.sizes
    numbers = Numbers(len(prompts), len(slots), sizes.n_layers, sizes.n_heads)
    results: dict[int, PromptResult] = {}
    kind = MetricKind.CHOICE
    with torch.inference_mode():
        done = 0
        for batch in _batches(prompts, question.batch):

            def tell_of_batch(part: float, before: int = done, n: int = len(batch)) -> None:
                tell("prompts", (before + part * n) / len(prompts))

            tell_of_batch(0.0)
            done += len(batch)
            of_slots = [[numbers_of[place] for place in prompts[row].places] for row in batch]
            job = _Job(resident, question, [prompts[row] for row in batch], batch, of_slots)
            results |= job.run(numbers, left_out, tell_of_batch)
            kind = job.kind or kind  # of a batch that something can be explained of
    kept = sorted(results)
    if not kept:
        raise RequestError(f"no prompt can be explained; line {left_out[0].line}: "
                           f"{left_out[0].reason}")  # fmt: skip
    if len(kept) < len(prompts):  # what was left out has no part in the slots either
        slots, kept_of = _slots_of([prompts[row] for row in kept], template)
        numbers.take_slots([numbers_of[place] for place in kept_of])
        numbers_of = kept_of
    nodes, edges = numbers.summarise(kept, question.strongest)
    first = prompts[kept[0]].request
    return Consensus(
        visit_version=__version__,
        request=replace(
            question.request,
            prompt=question.template or first.prompt,
            model=question.request.model or resident.info.name,
        ),
        model=resident.info,
        kind=kind,
        template=question.template,
        slots=tuple(slots),
        traced=numbers_of[prompts[kept[0]].places[-1]],
        strongest=question.strongest,
        prompts=tuple(sorted(results.values(), key=lambda one: (one.line, one.prompt))),
        left_out=tuple(sorted(left_out, key=lambda one: one.line)),
        nodes=nodes,
        edges=edges,
    )


def _slots_of(
    prompts: Sequence[_Prompt], template: Template | None
) -> tuple[list[Slot], dict[Place, int]]:
    """The slots of some prompts in order, and the number of each place's."""
    return slots_of(
        [one.places for one in prompts],
        [one.texts for one in prompts],
        template.names if template else (),
    )


# ---------------------------------------------------------------- reading prompts


def _read(
    question: ReadConsensus, template: Template | None, resident: Resident, left_out: list[LeftOut]
) -> Iterator[_Prompt]:
    """The prompts that can be run, in an order that does not depend on the file's."""
    rows = zip(question.lines, question.values, question.targets, strict=True)
    for line, values, target in sorted(rows, key=lambda row: (row[1], row[2], row[0])):
        try:
            yield _read_one(question.request, line, values, target, template, resident)
        except RequestError as problem:
            left_out.append(LeftOut(line, str(problem)))


def _read_one(
    shared: Request,
    line: int,
    values: tuple[str, ...],
    target: str,
    template: Template | None,
    resident: Resident,
) -> _Prompt:
    text, spans = template.fill(values) if template else (values[0], ())
    request = replace(shared, prompt=text)
    if target:
        request = replace(request, target=target, target_id=None)
    check_text(request)
    tokens = resident.read(request)
    resident.tokens.target_id(request)
    resident.tokens.versus_id(request)
    last = resolve_position(request.position, len(tokens)) + 1
    places: list[Place] = []
    if template:
        places = places_in_template(resident.tokens.offsets(text, len(tokens)), spans)
    return _Prompt(
        line,
        request,
        tuple(token.id for token in tokens[:last]),
        tuple(token.text for token in tokens[:last]),
        tuple(places[:last]),
    )


def _align(
    prompts: list[_Prompt], template: Template | None, left_out: list[LeftOut]
) -> list[_Prompt]:
    """The prompts with their places; those that are explained at another slot are left out."""
    if not prompts:
        return []
    if template is None:
        places = places_by_ends([one.ids for one in prompts])
        return [replace(p, places=tuple(own)) for p, own in zip(prompts, places, strict=True)]
    traced, kept = prompts[0].places[-1], []
    for one in prompts:
        if one.places[-1] == traced:
            kept.append(one)
        else:
            reason = f"it is explained at another slot ({one.texts[-1]!r}) than the others"
            left_out.append(LeftOut(one.line, reason))
    return kept


def _batches(prompts: Sequence[_Prompt], most: int) -> Iterator[list[int]]:
    """Prompts of equal length, by their numbers."""
    by_length: dict[int, list[int]] = {}
    for row, one in enumerate(prompts):
        by_length.setdefault(len(one.ids), []).append(row)
    for length, rows in sorted(by_length.items()):
        step = max(1, min(most, POSITIONS_AT_ONCE // length))
        for begin in range(0, len(rows), step):
            yield rows[begin : begin + step]


# ---------------------------------------------------------------- one batch


@dataclass(slots=True)
class _Job:
    """A batch of prompts, to be run."""

    resident: Resident
    question: ReadConsensus
    prompts: Sequence[_Prompt]
    rows: Sequence[int]
    slots: Sequence[Sequence[int]]
    kind: MetricKind | None = None

    def run(
        self, numbers: Numbers, left_out: list[LeftOut], tell: Callable[[float], None]
    ) -> dict[int, PromptResult]:
        """Put the prompts' numbers where they belong; what is said of each, by its row."""
        loaded = self.resident.loaded
        batch = record_batch(loaded.model, loaded.architecture, [one.ids for one in self.prompts])
        metrics, results = list[Metric](), dict[int, PromptResult]()
        for row, one, logits in zip(self.rows, self.prompts, batch.logits, strict=True):
            try:
                metric = self._choose(one.request, logits)
                results[row] = self._tell(one, metric, logits)
            except RequestError as problem:
                metric = Metric(MetricKind.LOGIT, 0)  # its numbers are not used
                left_out.append(LeftOut(one.line, str(problem)))
            metrics.append(metric)
        self.kind = next((metrics[at].kind for at, r in enumerate(self.rows) if r in results), None)
        layers, last = find_batch_flow(loaded.architecture, batch, metrics)
        kept = [at for at, row in enumerate(self.rows) if row in results]
        numbers.put_flow(kept, self.rows, self.slots, layers, last)
        if self.question.effects:
            numbers.put_effects(self.rows, self._measure(batch, metrics, tell))
        return results

    def _choose(self, request: Request, logits: Float[Tensor, " d_vocab"]) -> Metric:
        tokens = self.resident.tokens
        if not bool(logits.isfinite().all()):
            raise RequestError("its logits hold NaN or infinity; try --dtype float32")
        target_id = tokens.target_id(request)
        if target_id is None:
            (target_id,) = find_candidates(logits, 1)
        versus_id = tokens.versus_id(request)
        if versus_id == target_id:
            raise RequestError(f"versus {tokens.text(target_id)!r} is its target itself")
        named = (target_id,) if versus_id is None else (target_id, versus_id)
        candidates = find_candidates(logits, request.candidates, named)
        return choose_metric(request.metric, named, candidates)

    def _tell(self, one: _Prompt, metric: Metric, logits: Tensor) -> PromptResult:
        id_ = metric.target_id
        logprob = logits.double().log_softmax(-1)[id_]
        rank = int((logits > logits[id_]).sum()) + 1
        text = self.resident.tokens.text(id_)
        target = Target(id_, text, float(logits[id_]), float(logprob.exp()), rank)
        value = metric.evaluate(self.resident.loaded.architecture, logits)
        return PromptResult(one.line, one.request.prompt, target, value)

    def _measure(
        self, batch: Batch, metrics: Sequence[Metric], tell: Callable[[float], None]
    ) -> Float[Tensor, "prompt layer part"]:
        """What setting each head, and last the MLP, of every layer to zero does to each metric."""
        architecture = self.resident.loaded.architecture
        sizes, at = architecture.sizes, batch.n_positions - 1
        sites = [
            site
            for layer in range(sizes.n_layers)
            for site in (
                *(Site(NodeKind.HEAD, at, layer, head) for head in range(sizes.n_heads)),
                Site(NodeKind.MLP, at, layer),
            )
        ]
        variants: list[Variant] = [(Edit(site),) for site in sites]
        dtype = reading_dtype(batch.logits.dtype)
        towards = torch.stack([metric.unembedding(architecture, dtype) for metric in metrics])
        resumed = resume_batch(self.resident.loaded.model, architecture, batch)
        moved = towards.new_zeros(len(sites), len(metrics))
        for places, last, plain in run_changed_together(architecture, resumed, variants, tell):
            with run_like(architecture.unembedding):
                normed = architecture.final_norm.module(torch.cat([last, plain[None]]))
            values = torch.einsum("vpd,pd->vp", normed.to(towards), towards)
            moved[places] = values[:-1] - values[-1]
        by_layer: Tensor = moved.T.unflatten(1, (sizes.n_layers, sizes.n_heads + 1))
        return by_layer
