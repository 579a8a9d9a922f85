"""The model's own blocks run from any embeddings, and autograd back through all of them.

The blocks are called with the arguments of the recorded pass, and with rows of other embeddings in
place of its own: what enters the first layer, a position's embedding added where there is one. So
the numbers and their gradients are the live model's, patterns, norms and gates moving as they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from visit.graph.kinds import NodeKind
from visit.models.architectures import Architecture
from visit.models.architectures.base import Sizes
from visit.tracing.gradients import outside_inference
from visit.tracing.hooks import Float64Throughout, named_arguments
from visit.tracing.interventions import edit_all
from visit.tracing.precision import reading_dtype
from visit.tracing.sweep import Resumed
from visit.tracing.trace import Trace

GRAPH_ELEMENTS = 1 << 27
"""How many numbers autograd may hold at once: 512 MiB in float32. A row that needs more is taken
back a block at a time, each run once more, which costs a third of the time more."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A number that is differentiated.

    Attributes:
        position: Whose last residual it is of.
        measure: From rows of that residual to the number, a row each; autograd goes through it.
    """

    position: int
    measure: Callable[[Float[Tensor, "row d_model"]], Float[Tensor, " row"]]


def rows_at_once(sizes: Sizes, n_positions: int) -> int:
    """How many rows of embeddings autograd can hold together; 0 where it can't hold one."""
    return GRAPH_ELEMENTS // (sizes.n_layers * n_positions * _elements_in_layer(sizes, n_positions))


def _elements_in_layer(sizes: Sizes, n_positions: int) -> int:
    """What autograd holds of one layer for each position: residuals, memories and patterns."""
    return 16 * sizes.d_model + 4 * sizes.d_mlp + 4 * sizes.n_heads * n_positions


def measure_at(
    architecture: Architecture,
    trace: Trace,
    embeddings: Float[Tensor, "row pos d_model"],
    aims: Sequence[Aim],
) -> Float[Tensor, "aim row"]:
    """The numbers where the model is run from some embeddings.

    Args:
        architecture: The model.
        trace: The recorded pass, whose arguments and changes the blocks get.
        embeddings: What enters the first layer, in any number of rows.
        aims: What is measured.
    """
    with _live(architecture, trace, embeddings), torch.no_grad():
        numbers = _measure(architecture, trace, outside_inference(embeddings), aims)
    return torch.stack(numbers)


def differentiate(
    architecture: Architecture,
    trace: Trace,
    embeddings: Float[Tensor, "row pos d_model"],
    aims: Sequence[Aim],
    tell: Callable[[float], None] = lambda _: None,
) -> Float[Tensor, "aim row pos d_model"]:
    """Each number's gradient at the embeddings that the model is run from.

    The pass is run once for all numbers, and gone back once for each.

    Args:
        architecture: The model.
        trace: The recorded pass, whose arguments and changes the blocks get.
        embeddings: What enters the first layer; ``rows_at_once`` says how many rows to give.
        aims: What is differentiated, at least one.
        tell: Told after each how far it is, 0 to 1; what it raises ends the work.
    """
    with _live(architecture, trace, embeddings), torch.enable_grad():
        entering = outside_inference(embeddings).requires_grad_()
        numbers = _measure(architecture, trace, entering, aims)
        found = []
        for done, number in enumerate(numbers, start=1):
            (own,) = torch.autograd.grad(number.sum(), entering, retain_graph=done < len(numbers))
            found.append(own)
            tell(done / len(numbers))
    return torch.stack(found)


@contextmanager
def _live(architecture: Architecture, trace: Trace, embeddings: Tensor) -> Iterator[None]:
    """How the model is run, and gone back, where autograd may go through it."""
    # The embeddings are given: what was changed of the recorded ones is in them already.
    edits = [one for one in trace.layers.edits if one.site.kind is not NodeKind.EMBED]
    rows = range(len(embeddings))
    with (
        torch.inference_mode(mode=False),
        _throughout(embeddings),
        edit_all(architecture, [one.in_rows(rows) for one in edits]),
    ):
        yield


def _throughout(embeddings: Tensor) -> AbstractContextManager[Any]:
    return Float64Throughout() if embeddings.dtype is torch.float64 else nullcontext()


def _measure(
    architecture: Architecture, trace: Trace, embeddings: Tensor, aims: Sequence[Aim]
) -> list[Tensor]:
    last = _run(architecture, trace, embeddings).to(architecture.unembedding.device)
    last = last.to(reading_dtype(last.dtype))
    return [aim.measure(last[:, aim.position]) for aim in aims]


def _run(
    architecture: Architecture, trace: Trace, embeddings: Tensor
) -> Float[Tensor, "row pos d_model"]:
    """The last residuals."""
    pairs = zip(architecture.outline, trace.layers.calls, strict=True)
    calls = tuple(named_arguments(block.module, call.inputs, call.named) for block, call in pairs)
    resumed, hidden = Resumed(0, calls, (), (None,) * len(calls)), embeddings
    fits = rows_at_once(architecture.sizes, embeddings.shape[1]) > 0
    for layer, block in enumerate(architecture.outline):
        named = resumed.named(layer, hidden)
        del named["hidden_states"]
        run = partial(_run_block, block.module, outside_inference(named))
        if fits or not hidden.requires_grad:
            hidden = run(hidden)
        else:
            # Autograd runs a block again outside of whatever mode it was called in.
            hidden = checkpoint(
                run,
                hidden,
                use_reentrant=False,
                context_fn=lambda: (nullcontext(), _throughout(embeddings)),
            )
    return hidden


def _run_block(module: nn.Module, named: dict[str, Any], hidden: Tensor) -> Tensor:
    output = module(hidden_states=hidden, **named)
    first: Tensor = output[0] if isinstance(output, tuple) else output
    return first
