"""Where an intervention's values come from: other prompts, or their means."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visit.assemble.means import bundled_means, count_positions, find_mean, means_of
from visit.assemble.residency import Resident
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.graph.effects import Reference
from visit.graph.interventions import NEED_REFERENCE, OWN_PROMPT, How, Site, Way
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.text import one_line, shorten
from visit.tracing.sites import value_at
from visit.tracing.trace import Trace

_LONGEST_SAID = 40
"""How much of a reference a message repeats, in columns."""


@dataclass(frozen=True, slots=True)
class Values:
    """What an intervention puts at a site, and where that comes from.

    Attributes:
        find: The value for a site with one position.
        reference: Where it comes from, or ``None`` for a way that needs none.
        embeddings: What the prompt's embeddings would be there, for integrated gradients.
        trace: The reference's pass, where it is one prompt.
    """

    find: Callable[[Site], Tensor]
    reference: Reference | None
    embeddings: Tensor
    trace: Trace | None = None


def values_for(
    resident: Resident, request: Request, trace: Trace, how: How, texts: Sequence[str],
    tell: Progress,
) -> Values:  # fmt: skip
    """What a way puts at any site.

    Args:
        resident: The model.
        request: The prompt that is changed.
        trace: Its pass.
        how: The way.
        texts: The reference prompts; none for those that the way has by default, and
            ``OWN_PROMPT`` for the prompt's own positions.
        tell: Told of the reference's passes.

    Raises:
        RequestError: the way needs a reference, or one of another length.
    """
    nothing = torch.zeros_like(trace.residuals[0])
    match how.way:
        case Way.MEAN:
            return _mean_values(resident, request, trace, texts, tell)
        case way if way in NEED_REFERENCE:
            return _values_of_prompts(resident, request, trace, how, texts, tell)
    if texts:
        raise RequestError(f"how {how} needs no reference; leave it out, or give mean or patch")
    return Values(_needs_none, None, nothing)


def _needs_none(site: Site) -> Tensor:
    raise ValueError(f"nothing is put at {site}")


def _values_of_prompts(
    resident: Resident, request: Request, trace: Trace, how: How, texts: Sequence[str],
    tell: Progress,
) -> Values:  # fmt: skip
    architecture = resident.loaded.architecture
    if not texts or texts == (OWN_PROMPT,):
        raise RequestError(f"how {how} needs a reference prompt; give its text with --reference")
    traces = [_trace_of(resident, request, text, tell) for text in texts]
    if how.way is Way.RESAMPLE:
        n_positions = sum(len(one.token_ids) for one in traces)
        reference = Reference("a random position of the reference", tuple(texts), n_positions)
        return Values(
            lambda site: value_at(architecture, *_drawn(traces, site)),
            reference,
            _drawn_embeddings(traces, len(trace.token_ids)),
        )
    if len(texts) > 1:
        raise RequestError(f"how {how} takes one reference prompt, not {len(texts)}; give one")
    (other,) = traces
    if len(other.token_ids) != len(trace.token_ids):
        raise RequestError(
            f"the reference has {len(other.token_ids)} tokens and the prompt "
            f"{len(trace.token_ids)}; {how.way} takes values from the same position, so give "
            "prompts of equal length"
        )
    reference = Reference("the reference prompt", tuple(texts))
    return Values(
        lambda site: value_at(architecture, other, site), reference, other.residuals[0], other
    )


def _trace_of(resident: Resident, request: Request, text: str, tell: Progress) -> Trace:
    """A reference's own pass.

    Raises:
        RequestError: it cannot be read; the text says that it is the reference, and which.
    """
    try:
        return resident.trace(_other_prompt(request, text), tell)
    except RequestError as error:
        said = one_line(shorten(text, _LONGEST_SAID))
        raise RequestError(f'the reference "{said}" cannot be read: {error}') from None


def _other_prompt(request: Request, text: str) -> Request:
    return replace(
        request, prompt=text, prompt_ids=None, target=None, target_id=None, versus=None,
        versus_id=None, position=None,
    )  # fmt: skip


def _drawn(traces: Sequence[Trace], site: Site) -> tuple[Trace, Site]:
    """One reference and a position of it, drawn at random but the same for the same site."""
    drawn = random.Random(str(site))
    trace = drawn.choice(traces)
    return trace, site.at(drawn.randrange(len(trace.token_ids)))


def _drawn_embeddings(traces: Sequence[Trace], count: int) -> Tensor:
    sites = (Site(NodeKind.EMBED, position) for position in range(count))
    drawn = (_drawn(traces, site) for site in sites)
    return torch.stack([trace.residuals[0][site.position] for trace, site in drawn])


def _mean_values(
    resident: Resident, request: Request, trace: Trace, texts: Sequence[str], tell: Progress
) -> Values:
    if tuple(texts) == (OWN_PROMPT,):
        means = means_of([trace])
        reference = Reference("the prompt's own positions", (), count_positions([trace]))
    elif texts:
        traces = [_trace_of(resident, request, text, tell) for text in texts]
        means = means_of(traces)
        reference = Reference("the reference prompts", tuple(texts), count_positions(traces))
    else:
        means, n_positions = bundled_means(resident, tell)
        reference = Reference("the bundled reference text", (), n_positions)
    embeddings = find_mean(means, Site(NodeKind.EMBED, 0)).expand(len(trace.token_ids), -1)
    return Values(lambda site: find_mean(means, site), reference, embeddings)
