"""What is left of the metric when some parts are kept and all others are ablated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from jaxtyping import Float
from torch import Tensor

from visit.attribution.effects import measure_metric
from visit.models.architectures import Architecture
from visit.tracing.sweep import Resumed, Variant


def keep_only(
    architecture: Architecture,
    resume: Callable[[int], Resumed],
    ablations: Sequence[Variant],
    kept: Sequence[Collection[int]],
    unembedding: Float[Tensor, " d_model"],
    tell: Callable[[float], None] = lambda _: None,
) -> list[float]:
    """What the metric changes by with only some parts kept, for several choices in one sweep.

    Args:
        architecture: The model.
        resume: How its blocks run the prompt from some position on.
        ablations: Of every part, the edits that ablate it.
        kept: Of every choice, the places of the parts that are not ablated.
        unembedding: The metric's, as ``Metric.unembedding`` gives it.
        tell: Told how far it is, 0 to 1.

    Returns:
        For every choice the metric less the plain one; exactly 0 where all parts are kept.
    """
    variants: dict[int, Variant] = {}
    for choice, own in enumerate(kept):
        left_out = [edits for place, edits in enumerate(ablations) if place not in own]
        if left_out:
            variants[choice] = tuple(one for edits in left_out for one in edits)
    changes = [0.0] * len(kept)
    found = measure_metric(architecture, resume, [*variants.values()], unembedding, tell)
    for choice, change in zip(variants, found, strict=True):
        changes[choice] = change
    return changes
