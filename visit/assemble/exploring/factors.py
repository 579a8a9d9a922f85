"""Request -> Factors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from visit import __version__
from visit.assemble.residency import Resident
from visit.assemble.traced_request import TracedRequest
from visit.attribution.flow import sweep_back
from visit.engine.exploring import FindFactors
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.explore.factors import (
    MOST_SOUGHT,
    Factored,
    activations,
    bend_of,
    errors_at_best,
    factor,
)
from visit.graph.explored.factors import Factor, FactorMemory, Factors
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.graph.request import layers_from_spec
from visit.models.architectures.base import Experts
from visit.tracing.precision import ledger_dtype

_MEMORIES = 12
"""How many memories of a factor are told."""


def find_factors(question: FindFactors, resident: Resident, tell: Progress) -> Factors:
    """Patterns of memories over the tokens, and the metric's flow through each.

    Raises:
        RequestError: no layer is chosen that has memories, or there are more factors than tokens.
    """
    request, architecture = question.request, resident.loaded.architecture
    trace = resident.trace(request, tell)
    asked = resident.builder.resolve(trace, request)
    layers = _choose_layers(question.of_layers, resident)
    begins = 0 if question.first_token or len(trace.token_ids) < 3 or not asked.position else 1
    taken = slice(begins, asked.position + 1)
    n_tokens = asked.position + 1 - begins
    if (question.factors or 1) > n_tokens:
        raise RequestError(
            f"factors is {question.factors}; {n_tokens} tokens are taken, so give {n_tokens} at "
            "most"
        )
    x = activations(architecture, trace, layers, taken)
    errors = errors_at_best(x, min(MOST_SOUGHT, n_tokens))
    tell("factors", 0.2)
    count = question.factors or bend_of(errors)
    found = factor(x, count, question.seed)
    tell("factors", 0.9)
    gradient, flow = _flow_through(asked, layers)
    return Factors(
        visit_version=__version__,
        request=request,
        model=resident.info,
        tokens=resident.tokens.read(request),
        position=asked.position,
        layers=layers,
        left_out=(*range(begins), *range(asked.position + 1, len(trace.token_ids))),
        factors=tuple(_list_factors(found, x, gradient, layers, begins, len(trace.token_ids))),
        given=question.factors is not None,
        error=found.error,
        errors=tuple(errors),
        flow=flow,
    )


def _choose_layers(spec: str, resident: Resident) -> tuple[int, ...]:
    """The layers that are chosen; of ``all``, those that have memories.

    Raises:
        RequestError: there is none.
    """
    blocks = resident.loaded.architecture.outline
    layers = layers_from_spec(spec, len(blocks))
    if spec == "all":
        layers = tuple(n for n in layers if not isinstance(blocks[n].mlp, Experts))
    if not layers:
        raise RequestError(f"of_layers is {spec!r}; give layers that have memories, like 0-5")
    return layers


def _flow_through(
    asked: TracedRequest, layers: Sequence[int]
) -> tuple[Float[Tensor, " memory"], float]:
    """The metric's gradient at each memory's activation at the traced position, and the flow."""
    found: dict[int, Tensor] = {}
    flow = 0.0
    with torch.inference_mode():
        sweep = sweep_back(
            asked.architecture, asked.trace, asked.position, asked.direction[None],
            first=asked.position,
        )  # fmt: skip
        for layer, at in sweep:
            if layer in layers and at.activation is not None:
                found[layer] = at.activation[0, 0]
                activation = asked.trace.layers[layer].activation
                assert activation is not None
                flow += float(activation[asked.position].to(found[layer]) @ found[layer])
    return torch.cat([found[layer] for layer in layers]).cpu().double(), flow


def _list_factors(
    found: Factored,
    x: Float[Tensor, "token memory"],
    gradient: Float[Tensor, " memory"],
    layers: Sequence[int],
    begins: int,
    n_tokens: int,
) -> list[Factor]:
    whole = float(x.to(ledger_dtype(x)).square().sum())
    flows = (found.memories.double() @ gradient) * found.tokens[-1].double()
    # Of each memory, its layer and its number there.
    d_mlp = x.shape[1] // len(layers)
    listed = []
    for number in range(len(found.memories)):
        column = found.tokens[:, number]
        activation = [0.0] * n_tokens
        activation[begins : begins + len(column)] = column.tolist()
        peak = begins + int(column.argmax())
        weights, places = found.memories[number].topk(min(_MEMORIES, x.shape[1]))
        memories = tuple(
            FactorMemory(
                NodeId(NodeKind.MEMORY_VALUE, peak, layers[place // d_mlp], index=place % d_mlp),
                weight,
            )
            for weight, place in zip(weights.tolist(), places.tolist(), strict=True)
            if weight > 0
        )
        share = float(column.double().square().sum()) / whole if whole else 0.0
        listed.append(Factor(tuple(activation), share, float(flows[number]), memories))
    return listed
