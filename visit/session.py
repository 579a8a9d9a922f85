"""The one stateful object: a resident model, its traces, and a line. It is a local ``Engine``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from visit.assemble import Builder
from visit.engine.protocol import ModelChoice, Progress, silent
from visit.engine.queue import Turns
from visit.errors import RequestError
from visit.graph.flow import FlowGraph, ModelInfo, Node
from visit.graph.request import Request
from visit.lens.atlas import Atlas
from visit.lens.projector import Projector
from visit.lens.readings import Reader
from visit.models import loading
from visit.models.loading import DeviceMap, Loaded
from visit.models.loading.memory import free_bytes, watched
from visit.models.tokens import Tokens
from visit.text import size
from visit.tracing.trace import Trace, bytes_of_trace, check_finite, record

TRACES_BYTES = 1 << 30
"""How much memory recent traces may take: about two hundred of 8 tokens of GPT-2 small, two of
1,024 tokens of GPT-2 medium. The newest is kept whatever it takes."""

_PARTS = {"forward": (0.0, 0.2), "ledgers": (0.2, 0.5), "readings": (0.5, 1.0)}
"""Where each stage begins and ends in the whole: about the time it takes."""


def _of_the_whole(tell: Progress) -> Progress:
    """A teller of how far a stage is, that tells how far the whole is."""

    def of_the_whole(stage: str, part: float) -> None:
        begins, ends = _PARTS[stage]
        tell(stage, begins + part * (ends - begins))

    return of_the_whole


def _stages(tell: Progress) -> Callable[[str], None]:
    """A teller of stages whose length is not known."""
    return lambda stage: tell(stage, 0.0)


def _check_allowed(name: str, allowed: Sequence[str] | None) -> None:
    if allowed is not None and name not in allowed:
        raise RequestError(
            f"model {name!r} is not offered here; choose one of {', '.join(allowed)}"
        )


class Session:
    """Answers requests with one model in memory, one at a time, first come, first served.

    Asking for another target, position, count or threshold of a prompt that was traced lately runs
    no forward pass. Safe to call from any thread.

        >>> flow = Session.load("mini").explain(Request("The capital of Japan is the city of"))
        >>> flow.target.text
        ' Tokyo'
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        allowed: Sequence[str] | None = None,
        trace_bytes: int = TRACES_BYTES,
    ) -> None:
        _check_allowed(loaded.info.name, allowed)
        self._turns = Turns()
        self._allowed = allowed
        self._trace_bytes = trace_bytes
        self._last: Request | None = None
        self._take(loaded)

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
        trace_bytes: int = TRACES_BYTES,
        progress: Progress | None = None,
    ) -> Session:
        """Load a model and be ready to explain it.

        Args:
            name: ``mini``, a Hugging Face id, a local folder, or a ``.gguf`` file.
            dtype: ``float32``, ``float64``, ``bfloat16`` or ``float16``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            device_map: ``auto`` spreads a model larger than one device over all devices, the memory
                and the disk; or which part of it goes where.
            quant: ``8bit`` or ``4bit`` packs the weights with bitsandbytes; ledgers are on the
                unpacked ones.
            revision: Of a Hugging Face id: a branch, tag or commit.
            allowed: The only names that a request may name, this one among them; ``None`` for any.
            trace_bytes: How much memory recent traces may take; the newest is kept regardless.
            progress: Told when downloading and loading begin.

        Raises:
            RequestError: the name is not among those allowed.
            ModelError: there is no such model, or it cannot be read or taken apart.
        """
        _check_allowed(name, allowed)
        loaded = loading.load(
            name,
            dtype=dtype,
            device=device,
            device_map=device_map,
            quant=quant,
            revision=revision,
            tell=_stages(progress or silent),
        )
        return cls(loaded, allowed=allowed, trace_bytes=trace_bytes)

    @property
    def model(self) -> ModelInfo:
        """The resident model."""
        return self._loaded.info

    @property
    def atlas(self) -> Atlas:
        """The resident model's atlas: what every memory, attention neuron and bias of it says."""
        return self._atlas

    @property
    def n_waiting(self) -> int:
        """How many requests wait for their turn."""
        return self._turns.n_waiting

    def models(self) -> tuple[ModelChoice, ...]:
        """The models to choose from, the resident one first.

        They are the allowed ones; where any is, those that need no download.
        """
        resident = self.model.name
        notes = {**loading.cached_models(), loading.MINI: "bundled", resident: "loaded"}
        names = (loading.MINI, *notes) if self._allowed is None else self._allowed
        tokens = self._tokens
        return (
            ModelChoice(resident, notes[resident], tokens.has_chat, tokens.has_bos),
            *(
                ModelChoice(name, notes.get(name, "not loaded yet"))
                for name in dict.fromkeys(names)
                if name != resident
            ),
        )

    def explain(self, request: Request, progress: Progress | None = None) -> FlowGraph:
        """Run the model once and take the forward pass apart.

        A request for another model loads it in place of the resident one.

        Args:
            request: What to explain.
            progress: Told of each stage there is, in this order: ``waiting, 2 ahead``,
                ``downloading NAME``, ``loading NAME``, ``forward``, ``ledgers``, ``readings``.
                What it raises ends the work and leaves the session whole.

        Raises:
            VisitError: the request cannot be served; the text says why.
        """
        tell = progress or silent
        with self._turn(request, tell) as trace:
            flow = self._builder.whole(trace, request, _of_the_whole(tell))
            self._last = flow.request
        return flow

    def open(self, layer: int, position: int, request: Request | None = None) -> FlowGraph:
        """One block of an explained request, opened at one position.

        Args:
            layer: The block.
            position: The position; negative ones count from the end.
            request: The request it belongs to; the last one explained when left out.

        Raises:
            VisitError: the layer or the position does not exist, or nothing was explained yet.
        """
        asked = request or self._last
        if asked is None:
            raise RequestError("nothing has been explained yet; call explain first")
        with self._turn(asked) as trace:
            return self._builder.block(trace, asked, layer, position)

    def lens(self, request: Request, positions: Sequence[int]) -> tuple[Node, ...]:
        """What every residual of some positions says: the embedding, then each layer's resid_post.

        Args:
            request: The request whose prompt and target they are read for.
            positions: In any order; negative ones count from the end.

        Returns:
            The nodes of the first position from the embedding on, then those of the next.

        Raises:
            VisitError: a position does not exist, or the request cannot be served.
        """
        with self._turn(request) as trace:
            return self._builder.lens(trace, request, positions)

    def pattern(self, layer: int, head: int, request: Request) -> tuple[tuple[float, ...], ...]:
        """One head's attention: a row for each reader, a column for each source; rows add to 1.

        Raises:
            VisitError: the layer or the head does not exist, or the request cannot be served.
        """
        with self._turn(request) as trace:
            return self._builder.pattern(trace, layer, head)

    @contextmanager
    def _turn(self, request: Request, tell: Progress = silent) -> Iterator[Trace]:
        """The request's turn, with its model in memory and its prompt traced."""
        if request.model is not None:
            _check_allowed(request.model, self._allowed)
        with self._turns.taken(tell):
            self._switch(request.model, tell)
            with watched(lambda: self._too_much(request), free=self._traces.clear):
                yield self._trace(request, _of_the_whole(tell))

    def _too_much(self, request: Request) -> RequestError:
        """The refusal of a request that memory does not suffice for, with what would be less."""
        n_tokens = len(self._tokens.read(request))
        device = self._loaded.architecture.unembedding.device
        needed = size(bytes_of_trace(self._loaded.architecture.sizes, n_tokens))
        return RequestError(
            f"memory ran out: {n_tokens} tokens need about {needed} beside the model, and "
            f"{device.type} has {size(free_bytes(device))} left; shorten the prompt, open "
            "fewer layers (--layers), or load with --dtype bfloat16 or --device-map auto"
        )

    def _take(self, loaded: Loaded) -> None:
        tokens = Tokens(loaded.tokenizer, loaded.architecture.sizes.d_vocab)
        projector = Projector(loaded.architecture)
        atlas = Atlas(loaded.info, loaded.architecture, tokens, projector)
        reader = Reader(projector, tokens, atlas)
        self._loaded, self._tokens, self._atlas = loaded, tokens, atlas
        self._builder = Builder(loaded.architecture, tokens, reader, loaded.info)
        self._traces: OrderedDict[tuple[int, ...], Trace] = OrderedDict()

    def _switch(self, name: str | None, tell: Progress) -> None:
        if name is None or name == self.model.name:
            return
        running = asdict(self._loaded.running)
        self._take(loading.load(name, **running, tell=_stages(tell)))

    def _trace(self, request: Request, tell: Progress) -> Trace:
        ids = tuple(token.id for token in self._tokens.read(request))
        allowed = self._loaded.architecture.sizes.n_context
        if not ids:
            raise RequestError("the prompt has no token; give at least one token of text")
        if len(ids) > allowed:
            raise RequestError(
                f"the prompt is {len(ids)} tokens long; {self.model.name} reads {allowed} at most; "
                "shorten it"
            )
        if ids in self._traces:
            self._traces.move_to_end(ids)
            self._let_go()
            return self._traces[ids]
        n_layers = self.model.n_layers
        trace = record(
            self._loaded.model,
            self._loaded.architecture,
            ids,
            on_layer=lambda done: tell("forward", done / n_layers),
        )
        check_finite(self._loaded.model, trace)
        self._traces[ids] = trace
        self._let_go()
        return trace

    def _let_go(self) -> None:
        """Forget the traces that were asked for longest ago, as far as they do not fit."""
        taken = [trace.n_bytes for trace in self._traces.values()]
        for least_recent in range(len(taken) - 1):
            if sum(taken[least_recent:]) <= self._trace_bytes:
                break
            self._traces.popitem(last=False)
