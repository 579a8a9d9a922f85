"""The one stateful object: a resident model, its traces, and a lock. It is a local ``Engine``."""

from __future__ import annotations

import threading
from collections import OrderedDict

from visit import loading
from visit.build import Builder
from visit.engine import ModelChoice, Progress
from visit.errors import RequestError
from visit.flow import FlowGraph, ModelInfo, Request
from visit.loading import Loaded
from visit.tokens import Tokens
from visit.trace import Trace, check_finite, record
from visit.vocabulary import Projector

MAX_TRACES = 4


class Session:
    """Answers requests with one model in memory, one request at a time.

    Asking for another target, position, count or threshold of a prompt that was traced lately runs
    no forward pass. Safe to call from any thread.

        >>> flow = Session.load("mini").explain(Request("The capital of Japan is the city of"))
        >>> flow.target.text
        ' Tokyo'
    """

    def __init__(self, loaded: Loaded, *, dtype: str = "float32", device: str = "auto") -> None:
        self._lock = threading.RLock()
        self._dtype, self._device = dtype, device
        self._last: Request | None = None
        self._take(loaded)

    @classmethod
    def load(
        cls,
        name: str = loading.MINI,
        *,
        dtype: str = "float32",
        device: str = "auto",
        revision: str | None = None,
        progress: Progress | None = None,
    ) -> Session:
        """Load a model and be ready to explain it.

        Args:
            name: ``mini``, a Hugging Face id, a local folder, or a ``.gguf`` file.
            dtype: ``float32``, ``float64``, ``bfloat16`` or ``float16``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            revision: Of a Hugging Face id: a branch, tag or commit.
            progress: Told when loading begins.

        Raises:
            ModelError: there is no such model, or it cannot be read or taken apart.
        """
        if progress is not None:
            progress(f"loading {name}", 0.0)
        loaded = loading.load(name, dtype=dtype, device=device, revision=revision)
        return cls(loaded, dtype=dtype, device=device)

    @property
    def model(self) -> ModelInfo:
        """The resident model."""
        return self._loaded.info

    def models(self) -> tuple[ModelChoice, ...]:
        """The models that need no download, the resident one first."""
        resident = self.model.name
        choices = [ModelChoice(resident, "loaded")]
        choices += [ModelChoice(loading.MINI, "bundled")] if resident != loading.MINI else []
        cached = loading.cached_models().items()
        return (*choices, *(ModelChoice(name, note) for name, note in cached if name != resident))

    def explain(self, request: Request, progress: Progress | None = None) -> FlowGraph:
        """Run the model once and take the forward pass apart.

        A request for another model loads it in place of the resident one.

        Args:
            request: What to explain.
            progress: Told of each stage; what it raises ends the work and leaves the session whole.

        Raises:
            VisitError: the request cannot be served; the text says why.
        """
        tell = progress or _silent
        with self._lock:
            self._switch(request.model, tell)
            trace = self._trace(request.prompt, tell)
            flow = self._builder.whole(trace, request, tell)
            self._last = flow.request
        tell("done", 1.0)
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
        with self._lock:
            asked = request or self._last
            if asked is None:
                raise RequestError("nothing has been explained yet; call explain first")
            self._switch(asked.model, _silent)
            trace = self._trace(asked.prompt, _silent)
            return self._builder.block(trace, asked, layer, position)

    def _take(self, loaded: Loaded) -> None:
        tokens = Tokens(loaded.tokenizer, loaded.architecture.sizes.d_vocab)
        projector = Projector(loaded.architecture, tokens)
        self._loaded, self._tokens = loaded, tokens
        self._builder = Builder(loaded.architecture, tokens, projector, loaded.info)
        self._traces: OrderedDict[tuple[int, ...], Trace] = OrderedDict()

    def _switch(self, name: str | None, tell: Progress) -> None:
        if name is None or name == self.model.name:
            return
        tell(f"loading {name}", 0.0)
        self._take(loading.load(name, dtype=self._dtype, device=self._device))

    def _trace(self, prompt: str, tell: Progress) -> Trace:
        ids = self._tokens.ids(prompt)
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
        if len(self._traces) > MAX_TRACES:
            self._traces.popitem(last=False)
        return trace


def _silent(stage: str, fraction: float) -> None:
    """Tell nobody."""
