"""What is measured of many prompts at once: questions whose answer is columns of numbers.

A survey's own fields are made with ``option``, as an explorable's are; the command line and the
manifest of a study take them from there.
"""

# Annotations are types here, not texts: subclasses inherit them.
from dataclasses import dataclass
from typing import ClassVar

from visit.engine.questions import Question
from visit.errors import RequestError
from visit.graph.request import Count
from visit.graph.studied.columns import Surveyed


@dataclass(frozen=True)
class Survey(Question[Surveyed]):
    """Some numbers of each of many prompts, which run together.

    Attributes:
        needs_targets: Whether the prompts' right answers are part of what is measured.
        request: What all prompts have in common; its own prompt is not read.
        prompts: The texts. A survey reads each up to its last token.
        targets: The token to explain of each, or the first token of the right answer; empty texts
            for the model's own choice. None at all is an empty text for each.
        positions: How many positions run together at most; 0 for what fits the memory.
    """

    needs_targets: ClassVar[bool] = False

    prompts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    positions: Count = 0

    def __post_init__(self) -> None:
        """Give every prompt a target.

        Raises:
            RequestError: there are targets for some prompts alone.
        """
        super().__post_init__()
        if not self.targets:
            object.__setattr__(self, "targets", ("",) * len(self.prompts))
        if len(self.targets) != len(self.prompts):
            raise RequestError(
                f"{len(self.targets)} targets for {len(self.prompts)} prompts; give each one, "
                "empty where it has none"
            )
