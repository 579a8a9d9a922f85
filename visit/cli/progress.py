"""How far the work is, on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visit.engine.progress import Progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on stderr, once the work has taken a second, where stderr is a terminal."""
    from tqdm import tqdm

    looks = "{desc} {percentage:3.0f} % |{bar:30}|"
    with tqdm(total=1.0, delay=1.0, disable=None, leave=False, bar_format=looks) as bar:

        def show(stage: str, fraction: float) -> None:
            # Downloads and the queue say their progress in words: the bar has no part for them.
            bar.bar_format = looks if fraction else "{desc}"
            bar.set_description_str(stage, refresh=False)
            bar.update(fraction - bar.n)

        yield show
