r"""Groups of tokens as they are typed, a line each: ``country: Japan, France, \#318``.

A token is typed by its text, whatever spaces stand around either, with escapes as in ``typed``, or
by its id. So a comma is ``\u002c`` and what is only spaces has its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from visit.errors import RequestError
from visit.graph.flow import Token
from visit.graph.typed import token_from_typed

MOST_GROUPS = 6
"""How many groups there are at most: more colours cannot be told apart."""


@dataclass(frozen=True, slots=True)
class TokenGroup:
    """Tokens that are shown as one group.

    Attributes:
        name: What the group is called.
        tokens: Texts without the spaces around them, and ids.
    """

    name: str
    tokens: tuple[str | int, ...]

    def holds(self, token: Token) -> bool:
        """Whether a token of a prompt is one of them."""
        return token.id in self.tokens or token.text.strip() in self.tokens


def groups_from_typed(lines: Sequence[str]) -> tuple[TokenGroup, ...]:
    """The groups that lines say.

    Raises:
        RequestError: a line is none, a name stands twice, or there are too many to tell apart.
    """
    if len(lines) > MOST_GROUPS:
        raise RequestError(f"{len(lines)} groups are given; give {MOST_GROUPS} at most")
    groups = tuple(map(_read, lines))
    names = [group.name for group in groups]
    for name in names:
        if names.count(name) > 1:
            raise RequestError(f"two groups are called {name!r}; put their tokens in one line")
    return groups


def group_of(token: Token, groups: Sequence[TokenGroup]) -> int | None:
    """The number of the first group that holds a token; ``None`` of one in no group."""
    return next((number for number, group in enumerate(groups) if group.holds(token)), None)


def _read(line: str) -> TokenGroup:
    name, _, typed = (part.strip() for part in line.partition(":"))
    texts = [text.strip() for text in typed.split(",")]
    if not name or not all(texts):
        raise RequestError(
            f"groups has {line!r}; give a name and its tokens, like 'country: Japan, France'"
        )
    return TokenGroup(name, tuple(map(token_from_typed, texts)))
