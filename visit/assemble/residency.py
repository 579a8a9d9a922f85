"""Which model is in memory, with all that was made of it: its tokens, its lens, its traces.

Nothing here answers anything: ``visit.assemble.answers`` does, with a ``Resident`` model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from visit.assemble.builder import Builder
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.graph.request import Request, check_text
from visit.lens.atlas import Atlas
from visit.lens.projector import Projector
from visit.lens.readings import Reader
from visit.models import loading
from visit.models.loading import Loaded
from visit.models.loading.memory import free_bytes, guard_memory
from visit.models.tokens import Tokens
from visit.text import size
from visit.tracing.trace import Trace, bytes_of_trace, check_finite, record

TRACES_BYTES = 1 << 30
"""How much memory recent traces may take: about two hundred of 8 tokens of GPT-2 small, two of
1,024 tokens of GPT-2 medium. The newest is always kept, whatever its size."""


class Resident:
    """A model in memory, ready to be asked. Not to be used by two threads at once.

    Attributes:
        loaded: The model as it was loaded.
        info: What a graph says of it.
        tokens: Its vocabulary, and how it cuts a prompt.
        atlas: What every memory, attention neuron and bias of it says.
        builder: What makes graphs of its traces.
        traces: The recent ones by their token ids, the least recently used first.
    """

    def __init__(self, loaded: Loaded, trace_bytes: int = TRACES_BYTES) -> None:
        self.loaded, self.info = loaded, loaded.info
        self.tokens = Tokens(loaded.tokenizer, loaded.architecture.sizes.d_vocab)
        projector = Projector(loaded.architecture)
        self.atlas = Atlas(loaded.info, loaded.architecture, self.tokens, projector)
        reader = Reader(projector, self.tokens, self.atlas)
        self.builder = Builder(loaded.architecture, self.tokens, reader, loaded.info)
        self.traces: OrderedDict[tuple[int, ...], Trace] = OrderedDict()
        self._trace_bytes = trace_bytes

    def trace(self, request: Request, tell: Progress) -> Trace:
        """The request's prompt, run through the model; one that was traced lately is not run again.

        Args:
            request: What names the prompt.
            tell: Told how far the ``forward`` pass is, 0 to 1.

        Raises:
            RequestError: the prompt has no token, or more than the model reads, or it is no text.
            ModelError: what it computes is not finite.
        """
        check_text(request)
        ids = tuple(token.id for token in self.tokens.read(request))
        allowed = self.loaded.architecture.sizes.n_context
        if not ids:
            raise RequestError("the prompt has no token; give at least one token of text")
        if len(ids) > allowed:
            raise RequestError(
                f"the prompt is {len(ids)} tokens long; {self.info.name} reads {allowed} at most; "
                "shorten it"
            )
        if ids not in self.traces:
            self.traces[ids] = self._record(ids, tell)
        self.traces.move_to_end(ids)
        self._drop_traces()
        return self.traces[ids]

    @contextmanager
    def within_memory(self, request: Request) -> Iterator[None]:
        """Refuse a request that memory does not suffice for in one line, and give the memory back.

        Raises:
            RequestError: memory ran out inside; the text says what would take less.
        """
        with guard_memory(lambda: self._too_much(request), free=self.traces.clear):
            yield

    def _record(self, ids: tuple[int, ...], tell: Progress) -> Trace:
        n_layers = self.info.n_layers
        trace = record(
            self.loaded.model,
            self.loaded.architecture,
            ids,
            on_layer=lambda done: tell("forward", done / n_layers),
        )
        check_finite(self.loaded.model, trace)
        return trace

    def _drop_traces(self) -> None:
        """Drop the traces that were asked for longest ago until the rest fit."""
        # Every trace is measured each time: one whose layers are recorded again grows by a layer.
        taken = [trace.n_bytes for trace in self.traces.values()]
        for least_recent in range(len(taken) - 1):
            if sum(taken[least_recent:]) <= self._trace_bytes:
                break
            self.traces.popitem(last=False)

    def _too_much(self, request: Request) -> RequestError:
        """The error for a request that needs more memory than there is, with what needs less."""
        n_tokens = len(self.tokens.read(request))
        device = self.loaded.architecture.unembedding.device
        needed = size(bytes_of_trace(self.loaded.architecture.sizes, n_tokens))
        return RequestError(
            f"memory ran out: {n_tokens} tokens need about {needed} beside the model, and "
            f"{device.type} has {size(free_bytes(device))} left; shorten the prompt, open "
            "fewer layers (--layers), or load with --dtype bfloat16 or --device-map auto"
        )


class Residency:
    """The one model that is in memory, until another takes its place.

    Attributes:
        resident: That model.
    """

    def __init__(self, loaded: Loaded, trace_bytes: int = TRACES_BYTES) -> None:
        self._trace_bytes = trace_bytes
        self.resident = Resident(loaded, trace_bytes)

    def bring(self, name: str | None, tell: Progress) -> Resident:
        """The model of a name, loaded in place of the resident one where that is another.

        It is run as the resident one is: in the same numbers, on the same devices.

        Args:
            name: As a request has it; ``None`` for whichever is in memory.
            tell: Told ``downloading NAME`` and ``loading NAME``.

        Raises:
            ModelError: there is no such model, or it cannot be read or taken apart; the resident
                one stays.
        """
        if name is not None and name != self.resident.info.name:
            running = asdict(self.resident.loaded.running)
            loaded = loading.load(name, **running, tell=lambda stage: tell(stage, 0.0))
            self.resident = Resident(loaded, self._trace_bytes)
        return self.resident
