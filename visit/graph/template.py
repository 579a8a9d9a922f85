"""A prompt with slots, ``The capital of {country} is the city of``, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from visit.errors import RequestError

_SLOT = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A text with slots. ``str`` writes it and ``parse`` reads it back.

    Attributes:
        names: Of the slots, in order; a name may come again.
        between: The texts before, between and after them, one more than there are slots.
    """

    names: tuple[str, ...]
    between: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a template.

        Raises:
            RequestError: it has no slot, or a brace that belongs to none.
        """
        pieces = _SLOT.split(text)
        names, between = tuple(pieces[1::2]), tuple(pieces[0::2])
        if not names or not all(names) or any("{" in one or "}" in one for one in between):
            raise RequestError(
                f"template {text!r} has no slot, or a brace too many; give one like "
                "'The capital of {country} is the city of'"
            )
        return cls(names, between)

    def __str__(self) -> str:
        """The text with its slots."""
        return self.fill([f"{{{name}}}" for name in self.names])[0]

    def read(self, text: str) -> tuple[str, ...] | None:
        """What stands in the slots of a prompt; ``None`` where it is no prompt of this template.

        The inverse of ``fill``, where no value holds the text between two slots.
        """
        pattern, seen = re.escape(self.between[0]), set[str]()
        groups = {name: f"slot{number}" for number, name in enumerate(dict.fromkeys(self.names))}
        for name, after in zip(self.names, self.between[1:], strict=True):
            group = groups[name]
            pattern += f"(?P={group})" if name in seen else f"(?P<{group}>.+?)"
            pattern += re.escape(after)
            seen.add(name)
        found = re.fullmatch(pattern, text, re.DOTALL)
        return None if found is None else tuple(found[groups[name]] for name in self.names)

    def fill(self, values: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
        """The prompt with a value in each slot, and where in it each value stands."""
        text, spans = self.between[0], list[tuple[int, int]]()
        for value, after in zip(values, self.between[1:], strict=True):
            spans.append((len(text), len(text) + len(value)))
            text += value + after
        return text, tuple(spans)
