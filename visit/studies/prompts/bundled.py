"""Prompts that come with the package, made by generators: any number, the same for a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Final

from visit.errors import RequestError
from visit.studies.prompts.capitals import N_CAPITALS, capitals
from visit.studies.prompts.indirect_object import indirect_objects
from visit.studies.prompts.repeats import repeats

USUAL: Final = 100
"""How many prompts are made where no number is given."""
_MOST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Bundled:
    """Prompts that the package makes.

    Attributes:
        name: As the command line calls them.
        summary: What they ask, with an example.
        make: Prompts and their right answers by a seed, at least ``most`` different ones.
        most: How many can be had.
    """

    name: str
    summary: str
    make: Callable[[int], Iterable[tuple[str, str]]]
    most: int = _MOST

    def draw(self, n: int, seed: int) -> list[tuple[str, str]]:
        """The first prompts of a seed, no two alike; with more, those of fewer come first.

        Raises:
            RequestError: there are not so many.
        """
        if n > self.most:
            raise RequestError(
                f"{n:,} prompts of {self.name}, and {self.most:,} can be made; give a smaller limit"
            )
        answers = dict[str, str]()
        for prompt, answer in self.make(seed):
            answers[prompt] = answer
            if len(answers) == n:
                break
        return list(islice(answers.items(), n))


BUNDLED: Final[Mapping[str, Bundled]] = MappingProxyType(
    {
        one.name: one
        for one in (
            Bundled(
                "capitals",
                "193 countries and their capitals, in 13 phrasings: 'The capital of Japan is the "
                "city of' and ' Tokyo'",
                capitals,
                N_CAPITALS,
            ),
            Bundled(
                "indirect-object",
                "who receives, of two people: 'When Mary and John went to the store, John gave a "
                "drink to' and ' Mary'",
                indirect_objects,
            ),
            Bundled(
                "repeats",
                "random words said twice, up to somewhere in the second time: 'lamp two river "
                "lamp two' and ' river'",
                repeats,
            ),
        )
    }
)
"""All of them by name."""
