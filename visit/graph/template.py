"""A prompt with slots, ``The capital of {country} is the city of``, and what stands in them."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from visit.errors import RequestError

_SLOT = re.compile(r"\{([^{}]*)\}")


def rows_of_values(values: object) -> tuple[tuple[str, ...], ...]:
    """What stands in the slots of each prompt, as a row each.

    Args:
        values: A text for each prompt where there is one slot, or a list of texts, one a slot.

    Raises:
        RequestError: it is no list of such.
    """
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise RequestError(f"values is {reprlib.repr(values)}; give a list, with a text a prompt")
    rows = list[tuple[str, ...]]()
    for number, row in enumerate(values):
        texts = (row,) if isinstance(row, str) or not isinstance(row, Iterable) else tuple(row)
        if not all(isinstance(one, str) for one in texts):
            raise RequestError(
                f"values[{number}] is {reprlib.repr(row)}; give a text, or a list with a text a "
                "slot"
            )
        rows.append(texts)
    return tuple(rows)


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
