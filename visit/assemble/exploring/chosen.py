"""What explorables choose: a part by its name, and the prompts read beside the request's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from visit.assemble import ranking
from visit.assemble.named import check_there
from visit.assemble.residency import Resident
from visit.engine.progress import Progress
from visit.engine.questions import RankParts
from visit.errors import RequestError
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.models.architectures.base import Experts

_HEAD = re.compile(r"(L\d+\.head\d+)(?:@.*)?")
_MEMORY = re.compile(r"(L\d+\.memory\d+)(?:\.value)?(?:@.*)?")
_MOST_PROMPTS = 50
"""How many prompts are mapped together, so that one question does not take the machine."""


def choose_head(
    named: str,
    position: int,
    request: Request,
    resident: Resident,
    tell: Progress,
    *,
    field: str = "head",
) -> NodeId:
    """The head that is named, at a position; of none, the one with the most flow.

    Args:
        named: Like ``L5.head3``, with or without a position of its own, which is passed over.
        position: The traced position.
        request: What is asked of the prompt.
        resident: The model.
        tell: Told how far it is.
        field: What names it, as an error says.

    Raises:
        RequestError: there is none of that name.
    """
    if not named:
        return _strongest(NodeKind.HEAD, request, resident, tell)
    found = _HEAD.fullmatch(named.strip())
    if found is None:
        raise RequestError(f"{field} is {named!r}; give one like L3.head2")
    return _check_head(NodeId.parse(f"{found[1]}@{position}"), resident)


def choose_part(
    named: str, position: int, request: Request, resident: Resident, tell: Progress
) -> NodeId:
    """The memory's value or the head that is named; of none, the memory with the most flow.

    Of a model without memories it is the head with the most. Arguments are those of
    ``choose_head``.

    Raises:
        RequestError: there is none of that name.
    """
    blocks = resident.loaded.architecture.outline
    if not named:
        has_memories = any(not isinstance(block.mlp, Experts) for block in blocks)
        kind = NodeKind.MEMORY_VALUE if has_memories else NodeKind.HEAD
        return _strongest(kind, request, resident, tell)
    if (found := _HEAD.fullmatch(named.strip())) is not None:
        return _check_head(NodeId.parse(f"{found[1]}@{position}"), resident)
    found = _MEMORY.fullmatch(named.strip())
    if found is None:
        raise RequestError(f"part is {named!r}; give a memory, like L3.memory17, or a head")
    part = NodeId.parse(f"{found[1]}.value@{position}")
    assert part.layer is not None and part.index is not None
    check_there("layer", part.layer, len(blocks))
    mlp = blocks[part.layer].mlp
    if isinstance(mlp, Experts):
        raise RequestError(f"layer {part.layer} is a mixture of experts and has no memories")
    check_there("memory", part.index, len(mlp.w_out))
    return part


def _check_head(head: NodeId, resident: Resident) -> NodeId:
    sizes = resident.loaded.architecture.sizes
    assert head.layer is not None and head.head is not None
    check_there("layer", head.layer, sizes.n_layers)
    check_there("head", head.head, sizes.n_heads)
    return head


def _strongest(kind: NodeKind, request: Request, resident: Resident, tell: Progress) -> NodeId:
    n_memories = int(kind is NodeKind.MEMORY_VALUE)
    parts = ranking.rank(RankParts(request, memories=n_memories), resident, tell).parts
    return max((p for p in parts if p.id.kind is kind), key=lambda part: abs(part.flow)).id


def read_with_bos(request: Request, resident: Resident) -> bool | None:
    """How a text beside a request's prompt is to begin: as that does."""
    if request.prompt_ids is None or not resident.tokens.has_bos:
        return request.bos
    return resident.tokens.begins_with_bos(request.prompt_ids)


def requests_of_prompts(
    request: Request, others: Sequence[str], resident: Resident
) -> list[Request]:
    """The request, and the same of other prompts, in which nothing is changed.

    Raises:
        RequestError: there are more than are mapped together.
    """
    if len(others) >= _MOST_PROMPTS:
        raise RequestError(
            f"{len(others)} other prompts are given; {_MOST_PROMPTS - 1} are mapped at most: leave "
            "some out"
        )
    bos = read_with_bos(request, resident)
    return [
        request,
        *(
            replace(request, prompt=other, prompt_ids=None, bos=bos, interventions=())
            for other in others
        ),
    ]
