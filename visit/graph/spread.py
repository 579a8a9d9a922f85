"""How a number varies from prompt to prompt: mean, deviation, interval, and how often it is strong.

How it is worked out: ``visit.assemble.spreads``. Intervals: ``visit.graph.studied.intervals``.
"""

from __future__ import annotations

from dataclasses import dataclass

LEVEL = 0.95
"""How often an interval holds the mean over all prompts like these."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How one number varies over prompts.

    Attributes:
        n: How many prompts have it.
        mean: Their mean.
        sd: The standard deviation of one prompt's; ``None`` of a single prompt.
        low: Where the 95 % interval of the mean begins; ``None`` of a single prompt.
        high: Where it ends.
        among: In which part of the prompts it is among the strongest by this measure, 0 to 1;
            ``None`` where that is not asked.
    """

    n: int
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    among: float | None = None
