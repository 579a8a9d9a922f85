"""The local engine: it answers questions with the models in memory, one question at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from visit.assemble.answers import answer_once, is_kept
from visit.assemble.residency import MODELS_BYTES, TRACES_BYTES, Residency, Resident
from visit.engine.comparing import compare_requests
from visit.engine.line import MOST_WAITING
from visit.engine.progress import Progress, silent
from visit.engine.protocol import ModelChoice
from visit.engine.questions import (
    Answer,
    Explain,
    FindCircuit,
    Measure,
    OpenBlock,
    Pattern,
    Question,
    ReadConsensus,
    ReadLens,
    ReadPattern,
    ReadUpstream,
    SplitScore,
)
from visit.engine.queue import Queue
from visit.errors import RequestError
from visit.graph.circuit import Circuit
from visit.graph.compare import Difference
from visit.graph.consensus import Consensus
from visit.graph.effects import Effects
from visit.graph.flow import FlowGraph, ModelInfo, Node
from visit.graph.request import Request
from visit.graph.scores import Scores
from visit.graph.template import rows_of_values
from visit.graph.upstream import Upstream
from visit.lens.atlas import Atlas
from visit.models import loading
from visit.models.loading import DeviceMap, Loaded


class Session:
    """Answers questions with a model in memory, one at a time, whoever asks in turn.

    ``ask`` answers any question, and ``submit`` without waiting for it; ``explain``, ``open``,
    ``measure``, ``lens`` and ``pattern`` are short ways to ask. Asking for another target,
    position, count or threshold of a prompt that was traced lately runs no forward pass. Safe to
    call from any thread.

        >>> flow = Session.load("mini").explain(Request("The capital of Japan is the city of"))
        >>> flow.target.text
        ' Tokyo'
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        allowed: Sequence[str] | None = None,
        paths: bool = True,
        trace_bytes: int = TRACES_BYTES,
        model_bytes: int = MODELS_BYTES,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        _check_allowed(loaded.info.name, allowed)
        self._queue = Queue(most_waiting)
        self._allowed = allowed
        # What is offered by name may be a path that whoever started this gave.
        self._residency = Residency(
            loaded, trace_bytes, model_bytes, paths=paths or allowed is not None
        )

    @classmethod
    def load(
        cls,
        name: str = loading.MINI,
        *,
        dtype: str = "float32",
        device: str = "auto",
        device_map: DeviceMap | None = None,
        quant: str | None = None,
        revision: str | None = None,
        allowed: Sequence[str] | None = None,
        paths: bool = True,
        trace_bytes: int = TRACES_BYTES,
        model_bytes: int = MODELS_BYTES,
        most_waiting: int = MOST_WAITING,
        progress: Progress | None = None,
    ) -> Session:
        """Load a model and be ready to explain it.

        Args:
            name: ``mini``, ``smollm2``, a Hugging Face id, a local folder, or a ``.gguf`` file.
            dtype: ``float32``, ``float64``, ``bfloat16`` or ``float16``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            device_map: ``auto`` spreads a model larger than one device over all devices, the memory
                and the disk; or which part of it goes where.
            quant: ``8bit`` or ``4bit`` packs the weights with bitsandbytes; ledgers are on the
                unpacked ones.
            revision: Of a Hugging Face id: a branch, tag or commit.
            allowed: The only names that a request may name, this one among them; ``None`` for any.
            paths: Whether a request may name a local path, beside those that are ``allowed``.
            trace_bytes: How much memory recent traces may take; the newest is kept regardless.
            model_bytes: How much models may take together; the one used last is kept regardless.
            most_waiting: How many traces may wait at once, and how many looks at graphs.
            progress: Told when downloading and loading begin.

        Raises:
            RequestError: the name is not among those allowed.
            ModelError: there is no such model, or it cannot be read or taken apart.
        """
        _check_allowed(name, allowed)
        tell = progress or silent
        loaded = loading.load(
            name,
            dtype=dtype,
            device=device,
            device_map=device_map,
            quant=quant,
            revision=revision,
            tell=lambda stage: tell(stage, 0.0),
        )
        return cls(
            loaded,
            allowed=allowed,
            paths=paths,
            trace_bytes=trace_bytes,
            model_bytes=model_bytes,
            most_waiting=most_waiting,
        )

    @property
    def resident(self) -> Resident:
        """The model that was used last, with all that was made of it."""
        return self._residency.resident

    @property
    def model(self) -> ModelInfo:
        """The resident model, as a graph names it."""
        return self.resident.info

    @property
    def atlas(self) -> Atlas:
        """The resident model's atlas: what every memory, attention neuron and bias of it says."""
        return self.resident.atlas

    @property
    def n_waiting(self) -> int:
        """How many questions wait for their turn."""
        return self._queue.n_waiting

    def models(self) -> tuple[ModelChoice, ...]:
        """The models to choose from, the resident one first; it waits for no answer under way.

        They are the allowed ones; where any is, those that need no download or are small.
        """
        resident = self.resident
        own = resident.info.name
        loaded = dict.fromkeys(self._residency.names, "loaded")
        fetched = {**loading.packaged_models(), **loading.cached_models()}
        notes = {**fetched, loading.MINI: "bundled", **loaded}
        names = (loading.MINI, *notes) if self._allowed is None else self._allowed
        return (
            ModelChoice(own, notes[own], resident.tokens.has_chat, resident.tokens.has_bos),
            *(
                ModelChoice(name, notes.get(name, "not loaded yet"))
                for name in dict.fromkeys(names)
                if name != own
            ),
        )

    def ask(self, question: Question[Answer], progress: Progress | None = None) -> Answer:
        """The answer to a question, of the type that the question names.

        A question about a model that is not in memory loads it; others make room for it.

        Args:
            question: What is asked.
            progress: Told of each stage there is, in this order: ``waiting, 2 ahead``,
                ``downloading NAME``, ``loading NAME``, ``forward``, and those of the answer. What
                it raises ends the work and leaves the session whole.

        Raises:
            VisitError: the question cannot be answered; the text says why.
        """
        work, tell = self._work_of(question), progress or silent
        return self._queue.run(lambda: work(tell), tell, is_look=self._is_look(question))

    def submit(
        self, question: Question[Answer], progress: Progress | None = None, *, asker: object = None
    ) -> Future[Answer]:
        """The answer to come, without a thread that waits for it; cancel it to take it back.

        Args:
            question: What is asked.
            progress: As in ``ask``; called from other threads, with the context of this call.
            asker: Who asks, such as a page. All askers have their turns, and each a limit.

        Raises:
            RequestError: too many questions wait already, or the model is not allowed.
        """
        work, tell = self._work_of(question), progress or silent
        return self._queue.submit(work, tell, asker=asker, is_look=self._is_look(question))

    def _is_look(self, question: Question[Answer]) -> bool:
        """Whether it is answered at once: what loads a model waits like a trace."""
        resident = self._residency.find(question.request.model)
        return resident is not None and (question.is_look or is_kept(question, resident))

    def _work_of(self, question: Question[Answer]) -> Callable[[Progress], Answer]:
        """What answers a question, in its turn.

        Raises:
            RequestError: its model is not allowed.
        """
        request = question.request
        if request.model is not None:
            _check_allowed(request.model, self._allowed)

        def work(tell: Progress) -> Answer:
            resident = self._residency.bring(
                request.model, tell, weights=question.weights, may_load=question.may_load
            )
            with resident.within_memory(request):
                answered: Answer = answer_once(question, resident, tell)
            return answered

        return work

    def explain(self, request: Request, progress: Progress | None = None) -> FlowGraph:
        """Run the model once and take the forward pass apart: asks ``Explain``.

        Args:
            request: What to explain.
            progress: As in ``ask``; the stages of the answer are ``ledgers``, ``readings`` and
                ``effects``.

        Raises:
            VisitError: the request cannot be served; the text says why.
        """
        return self.ask(Explain(request), progress)

    def open(self, request: Request, layer: int, position: int) -> FlowGraph:
        """One block of a request, opened at one position: asks ``OpenBlock``.

        Args:
            request: The request it belongs to.
            layer: The block.
            position: The position; negative ones count from the end.

        Raises:
            VisitError: the layer or the position does not exist, or the request cannot be served.
        """
        return self.ask(OpenBlock(request, layer, position))

    def measure(self, request: Request, *parts: str, **named: Any) -> Effects:
        """What parts cause: each is changed and the rest of the pass run again.

        Args:
            request: The prompt, and what is explained.
            parts: Sites (``L5.head3@7``) and sorts of part (``heads``); the question's own by
                default.
            named: The question's other fields, such as ``how="mean"`` or ``together=True``.

        Raises:
            VisitError: it cannot be measured; the text says why.
        """
        return self.ask(Measure(request, parts, **named) if parts else Measure(request, **named))

    def compare(
        self, first: Request, second: Request, progress: Progress | None = None
    ) -> Difference:
        """What differs between two prompts, targets or models of one architecture.

        Args:
            first: One request.
            second: The other. A difference is its number less the first's.
            progress: As in ``ask``.

        Raises:
            VisitError: one cannot be explained, or the two have nothing in common.
        """
        return compare_requests(self, first, second, progress)

    def circuit(self, request: Request, *parts: str, **named: Any) -> Circuit:
        """Which parts keep the metric while all others are ablated: asks ``FindCircuit``.

        Args:
            request: The prompt, and what is explained.
            parts: Sites and sorts of part that are in question; all heads by default.
            named: The question's other fields, such as ``keep=3`` or ``reference=(other,)``.

        Raises:
            VisitError: it cannot be measured; the text says why.
        """
        return self.ask(
            FindCircuit(request, parts, **named) if parts else FindCircuit(request, **named)
        )

    def consensus(
        self,
        request: Request,
        values: Sequence[str] | Sequence[Sequence[str]],
        template: str = "",
        progress: Progress | None = None,
        **named: Any,
    ) -> Consensus:
        """What parts do over many prompts with the same slots: asks ``ReadConsensus``.

        Args:
            request: What all prompts have in common; its own prompt is not read.
            values: What stands in the template's slots, a text each prompt where it has one slot;
                without a template, the prompts.
            template: A text with slots, like ``The capital of {country} is``.
            progress: As in ``ask``; the stage of the answer is ``prompts``.
            named: The question's other fields, such as ``effects=False``.

        Raises:
            VisitError: none of the prompts can be read; the text says why.
        """
        rows = rows_of_values(values)
        given = {"lines": tuple(range(1, len(rows) + 1)), "targets": ("",) * len(rows), **named}
        return self.ask(ReadConsensus(request, rows, template=template, **given), progress)

    def upstream(self, request: Request, node: str, count: int = 30) -> Upstream:
        """What feeds a part: asks ``ReadUpstream``.

        Args:
            request: The request that it is a part of the graph of.
            node: A head, a memory or an MLP, like ``L5.head3@7``.
            count: How many parts are listed, the strongest; the rest is told as a whole.

        Returns:
            The parts that wrote what it reads, with the flow into it through each, in the
            metric's unit. With the rest and the biases they add up to its flow.

        Raises:
            VisitError: the part does not exist, or the request cannot be served.
        """
        return self.ask(ReadUpstream(request, node, count))

    def why(
        self, request: Request, head: str, source: int | None = None, count: int = 30
    ) -> Scores:
        """Why a head attends to a source: asks ``SplitScore``.

        Args:
            request: The prompt.
            head: The head and the position that it reads from, like ``L5.head3@7``; without ``@7``,
                from the traced position.
            source: The position that it attends to; by default the one it attends to most.
            count: How many parts of each side, and how many pairs, are listed.

        Returns:
            What each part adds to the score, less its mean over the sources that are seen, and the
            attention that there would be without it.

        Raises:
            VisitError: there is no such head or source, or the request cannot be served.
        """
        return self.ask(SplitScore(request, head, source, count))

    def lens(self, request: Request, positions: Sequence[int]) -> tuple[Node, ...]:
        """What every residual of some positions says: asks ``ReadLens``.

        Args:
            request: The request whose prompt and target they are read for.
            positions: In any order; negative ones count from the end.

        Returns:
            The nodes of the first position, from the embedding on through each layer's
            resid_post, then those of the next.

        Raises:
            VisitError: a position does not exist, or the request cannot be served.
        """
        return self.ask(ReadLens(request, tuple(positions)))

    def pattern(self, request: Request, layer: int, head: int) -> Pattern:
        """One head's attention: asks ``ReadPattern``.

        Returns:
            A row for each reader, a column for each source; rows add to 1.

        Raises:
            VisitError: the layer or the head does not exist, or the request cannot be served.
        """
        return self.ask(ReadPattern(request, layer, head))


def _check_allowed(name: str, allowed: Sequence[str] | None) -> None:
    if allowed is not None and name not in allowed:
        raise RequestError(
            f"model {name!r} is not offered here; choose one of {', '.join(allowed)}"
        )
