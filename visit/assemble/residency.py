"""Which models are in memory, with all that was made of them: their tokens, lenses and traces.

Nothing here answers anything: ``visit.assemble.answers`` does, with a ``Resident`` model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

from cachetools import LRUCache
from torch import Tensor

from visit.assemble.builder import Builder
from visit.assemble.kept import Kept
from visit.assemble.named import resolve_position
from visit.engine.progress import Progress
from visit.engine.questions import Question
from visit.errors import ModelError, NotLoaded, RequestError
from visit.graph.flow import ModelInfo, Token
from visit.graph.interventions import Intervention, Site
from visit.graph.request import Request, check_text
from visit.graph.sizes import n_bytes
from visit.lens.atlas import Atlas
from visit.lens.projector import Projector
from visit.lens.readings import Reader
from visit.models import loading
from visit.models.loading import Loaded
from visit.models.loading.memory import free_bytes, guard_memory
from visit.models.tokens import Tokens
from visit.text import size
from visit.tracing.interventions import Edit, edits_from
from visit.tracing.sites import check_intervention
from visit.tracing.sweep import Resumed, resume
from visit.tracing.trace import Trace, bytes_of_trace, check_finite, record

TRACES_BYTES = 1 << 30
"""How much memory recent traces may take: two of 1,024 tokens of GPT-2 medium. The newest is always
kept, whatever its size."""
MOST_TRACES = 64
"""How many of a model, however small they are: a small pass is run again in no time."""
ANSWERS_BYTES = 64 << 20
"""How much memory the recent graphs and effects of one model may take: of SmolLM2, some fifteen
graphs of 8 tokens, or two with every layer open."""
MODELS_BYTES = 1 << 30
"""How much memory models may take together: SmolLM2-135M with the bundled one. The one that was
used last is always kept, whatever its size, and is alone where it takes as much."""


_Made = TypeVar("_Made")
TraceKey = tuple[tuple[int, ...] | int | str, ...]
"""The token ids, and of a changed pass the traced position and its interventions."""


class Resident:
    """A model in memory, ready to be asked. Not to be used by two threads at once.

    Attributes:
        loaded: The model as it was loaded.
        info: What a graph says of it.
        tokens: Its vocabulary, and how it cuts a prompt.
        projector: Its lens.
        atlas: What every memory, attention neuron and bias of it says.
        builder: What makes graphs of its traces.
        traces: The recent ones by their token ids and what is changed in them, the least recently
            used first.
        answers: The recent ones by their questions.
    """

    def __init__(self, loaded: Loaded, trace_bytes: int = TRACES_BYTES) -> None:
        self.loaded, self.info = loaded, loaded.info
        self.tokens = Tokens(loaded.tokenizer, loaded.architecture.sizes.d_vocab)
        self.projector = Projector(loaded.architecture)
        self.atlas = Atlas(loaded.info, loaded.architecture, self.tokens, self.projector)
        reader = Reader(self.projector, self.tokens, self.atlas)
        self._kept = Kept()
        self.builder = Builder(loaded.architecture, self.tokens, reader, loaded.info, self._kept)
        self.traces: OrderedDict[TraceKey, Trace] = OrderedDict()
        self.answers: LRUCache[Question[Any], Any] = LRUCache(
            ANSWERS_BYTES, getsizeof=lambda kept: min(n_bytes(kept), ANSWERS_BYTES)
        )
        self._trace_bytes = trace_bytes
        self._made: dict[str, Any] = {}

    def once(self, what: str, make: Callable[[], _Made]) -> _Made:
        """What is made of the weights alone, made once and kept as long as the model is.

        Args:
            what: Names it.
            make: Makes it; what it raises leaves nothing behind.
        """
        if what not in self._made:
            self._made[what] = make()
        made: _Made = self._made[what]
        return made

    def trace(self, request: Request, tell: Progress) -> Trace:
        """The request's prompt, run through the model; one that was traced lately is not run again.

        What the request changes in the pass is changed, up to the traced position.

        Args:
            request: What names the prompt, and what is changed.
            tell: Told how far the ``forward`` pass is, 0 to 1.

        Raises:
            RequestError: the prompt has no token, or more than the model reads, or it is no text;
                or what is to be changed does not exist.
            ModelError: what it computes is not finite.
        """
        check_text(request)
        ids = tuple(token.id for token in self.read(request))
        plain = self._keep((ids,), lambda: self._record(ids, tell))
        if not request.interventions:
            return plain
        position = resolve_position(request.position, len(ids))
        edits = self._edits(request.interventions, position)
        key: TraceKey = (ids, position, *request.interventions)
        return self._keep(key, lambda: self._record(ids, tell, edits, plain))

    def read(self, request: Request) -> tuple[Token, ...]:
        """The tokens of a request's prompt, as many as the model can read.

        Raises:
            RequestError: there are none, or more than that, or ``Tokens.read`` refuses it.
        """
        tokens, allowed = self.tokens.read(request), self.loaded.architecture.sizes.n_context
        if not tokens:
            raise RequestError("the prompt has no token; give at least one token of text")
        if len(tokens) > allowed:
            raise RequestError(
                f"the prompt is {len(tokens)} tokens long; {self.info.name} reads {allowed} at "
                "most; shorten it"
            )
        return tokens

    def resume(self, trace: Trace, position: int, start: int) -> Resumed:
        """How the blocks run a recorded prompt from some position on, up to the traced one.

        Args:
            trace: The plain pass.
            position: The traced position.
            start: The position that they run from.
        """
        model, architecture = self.loaded.model, self.loaded.architecture
        ids = trace.token_ids[: position + 1]
        return self._kept.find(
            trace,
            ("resumed", position, start),
            lambda: resume(model, architecture, ids, start, lambda n: trace.layers[n].ln1),
        )

    def _keep(self, key: TraceKey, make: Callable[[], Trace]) -> Trace:
        if key not in self.traces:
            self.traces[key] = make()
        self.traces.move_to_end(key)
        self.drop_traces(self._trace_bytes)
        return self.traces[key]

    def _edits(self, texts: Sequence[str], position: int) -> tuple[Edit, ...]:
        """What a request changes, as edits.

        Raises:
            RequestError: the model has no such site, or it comes after the traced position.
        """
        changes = [Intervention.parse(text) for text in texts]
        for one in changes:
            check_intervention(self.loaded.architecture, one, position)
        return sum((edits_from(one, position, _need_no_value) for one in changes), ())

    @property
    def n_bytes(self) -> int:
        """How much memory its weights take."""
        return sum(int(weight.nbytes) for weight in self.loaded.model.parameters())

    def drop_traces(self, most: int) -> int:
        """Drop the traces asked for longest ago until the rest fit, and are few enough.

        The newest always stays.

        Args:
            most: How many bytes they may take.

        Returns:
            How many they take.
        """
        # Every trace is measured each time: one whose layers are recorded again grows by a layer.
        taken = [trace.n_bytes for trace in self.traces.values()]
        while len(taken) > 1 and (sum(taken) > most or len(taken) > MOST_TRACES):
            self.traces.popitem(last=False)
            del taken[0]
        return sum(taken)

    @contextmanager
    def within_memory(self, request: Request) -> Iterator[None]:
        """Refuse a request that memory does not suffice for in one line, and give the memory back.

        Raises:
            RequestError: memory ran out inside; the text says what would take less.
        """
        with guard_memory(lambda: self._too_much(request), free=self.traces.clear):
            yield

    def _record(
        self,
        ids: tuple[int, ...],
        tell: Progress,
        edits: Sequence[Edit] = (),
        plain: Trace | None = None,
    ) -> Trace:
        n_layers = self.info.n_layers
        trace = record(
            self.loaded.model,
            self.loaded.architecture,
            ids,
            on_layer=lambda done: tell("forward", done / n_layers),
            edits=edits,
            plain=plain,
        )
        try:
            check_finite(self.loaded.model, trace)
        except ModelError:
            if not edits:
                raise
            sites = ", ".join(list(dict.fromkeys(str(one.site) for one in edits))[:3])
            raise RequestError(
                f"the pass that is changed at {sites} computes NaN or infinity; leave the change "
                "out, or give a smaller one"
            ) from None
        return trace

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


def _need_no_value(site: Site) -> Tensor:
    raise ValueError(f"what is drawn is not put at {site}")


class Residency:
    """The models in memory: the one that was used last, and others as far as they fit beside it."""

    def __init__(
        self,
        loaded: Loaded,
        trace_bytes: int = TRACES_BYTES,
        model_bytes: int = MODELS_BYTES,
        *,
        paths: bool = True,
    ) -> None:
        """One model in memory.

        Args:
            loaded: That model.
            trace_bytes: How much memory the recent traces of all models may take.
            model_bytes: How much the models may; the one used last is kept regardless.
            paths: Whether a model may be loaded from a local path.
        """
        self._trace_bytes, self._model_bytes, self._paths = trace_bytes, model_bytes, paths
        self._given = loaded.info.name  # which may be a path, whatever else may not
        first = Resident(loaded, trace_bytes)
        self._kept: OrderedDict[str, Resident] = OrderedDict({first.info.name: first})
        self.resident = first

    @property
    def names(self) -> tuple[str, ...]:
        """The models in memory, the one used last first."""
        return tuple(reversed(self._kept))

    def find(self, name: str | None) -> Resident | None:
        """The model of a name where it is in memory, left in its place; as ``bring`` names it."""
        return self.resident if name is None else self._kept.get(name)

    def bring(
        self,
        name: str | None,
        tell: Progress,
        *,
        weights: str | None = None,
        may_load: bool = True,
    ) -> Resident:
        """The model of a name, loaded where it is not in memory.

        It is run as the resident one is: in the same numbers, on the same devices.

        Args:
            name: As a request has it; ``None`` for the one that was used last.
            tell: Told ``downloading NAME`` and ``loading NAME``.
            weights: The digest that its weights must have; ``None`` for any.
            may_load: Whether it may be loaded.

        Raises:
            NotLoaded: it is not in memory, and may not be loaded.
            ModelError: there is no such model, it cannot be read or taken apart, or its weights are
                others; whichever was used last stays.
        """
        wanted = self.resident.info.name if name is None else name
        if wanted not in self._kept:
            if not may_load:
                raise NotLoaded(f"model {wanted!r} is not in memory here")
            self._make_room(self._load(wanted, tell))
        found = self._kept[wanted]
        check_weights(found.info, weights)
        if found is not self.resident:
            self._kept.move_to_end(wanted)
            self.resident = found
            self._drop_traces()
        return found

    def _load(self, name: str, tell: Progress) -> Loaded:
        return loading.load(
            name,
            **asdict(self.resident.loaded.running),
            paths=self._paths or name == self._given,
            tell=lambda stage: tell(stage, 0.0),
        )

    def _make_room(self, loaded: Loaded) -> None:
        """Keep a model, and drop those that do not fit beside it, used longest ago first."""
        latest = Resident(loaded, self._trace_bytes)
        kept = OrderedDict({latest.info.name: latest})
        left = self._model_bytes - latest.n_bytes
        for name, resident in reversed(self._kept.items()):
            left -= resident.n_bytes
            if left < 0:
                break
            kept[name] = resident
            kept.move_to_end(name, last=False)
        self._kept = kept

    def _drop_traces(self) -> None:
        left = self._trace_bytes
        for resident in reversed(self._kept.values()):
            left -= resident.drop_traces(max(left, 0))


def check_weights(model: ModelInfo, wanted: str | None) -> None:
    """Refuse weights that are not those that were asked for.

    Args:
        model: Whose weights there are.
        wanted: The digest of those that must be, or its beginning; ``None`` for any.

    Raises:
        ModelError: they are others.
    """
    if wanted is not None and not model.weights_sha256.startswith(wanted):
        raise ModelError(
            f"the weights of {model.name!r} are others than this graph's: {wanted[:12]} then, "
            f"{model.weights_sha256[:12]} here; trace the prompt again to ask these"
        )
