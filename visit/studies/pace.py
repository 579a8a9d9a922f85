"""How far a run is, in words: how many prompts, how many a second, and how long the rest takes."""

from __future__ import annotations

from time import perf_counter

from visit.engine.progress import Progress
from visit.text import duration


class Pace:
    """How far a run is.

    Attributes:
        n_done: The prompts whose chunks are done, those of earlier runs among them.
    """

    def __init__(self, n_prompts: int, n_done: int, progress: Progress) -> None:
        self.n_done = n_done
        self._n_prompts = n_prompts
        self._n_before = n_done
        self._progress = progress
        self._begun: float | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether no prompt has been measured yet, as while the model is loaded."""
        return self._begun is None

    def begin(self) -> None:
        """From now on prompts are measured; what was before does not count in their rate."""
        self._begun = perf_counter()

    @property
    def seconds(self) -> float:
        """How long prompts have been measured."""
        return 0.0 if self._begun is None else perf_counter() - self._begun

    def tell(self, under_way: float = 0.0) -> None:
        """Say it.

        Args:
            under_way: How many more prompts are done, of chunks that are not.
        """
        n = min(self.n_done + under_way, self._n_prompts)
        said = f"prompts {int(n):,} of {self._n_prompts:,}"
        new, seconds = n - self._n_before, self.seconds
        if new > 0 and seconds > 0:
            rate = new / seconds
            a_second = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
            said += f", {a_second} a second, {duration((self._n_prompts - n) / rate)} left"
        self._progress(said, n / self._n_prompts if self._n_prompts else 1.0)
