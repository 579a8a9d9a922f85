"""What can be chosen of a question, said once: the command line and the app take it from here.

A field that is made with ``option`` can be chosen; its annotation says what it takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from visit.engine.questions import Question
from visit.graph.fields import hints_of, text_from_value, type_of, value_from_given, value_from_text
from visit.graph.request import Request


@dataclass(frozen=True, slots=True)
class _Words:
    label: str
    says: str
    letter: str
    lines: bool
    long: bool


@dataclass(frozen=True, slots=True)
class Option:
    """A field of a question that can be chosen.

    Attributes:
        name: The field's.
        label: What it is called beside its control in the app.
        says: What it does, as part of a sentence.
        letter: What stands for its value in a help text.
        hint: Its annotation.
        default: Its value where nothing is chosen.
        lines: Whether it is a list of texts, which are typed one a line.
        long: Whether it is a text of many lines; on the command line ``@FILE`` names a file.
    """

    name: str
    label: str
    says: str
    letter: str
    hint: Any
    default: Any
    lines: bool
    long: bool

    @property
    def takes(self) -> type:
        """What its value is: a number, a text, true or false, or one of a set."""
        return str if self.lines else type_of(self.hint)

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a closed set, as texts; none of any other."""
        takes = self.takes
        return tuple(one.value for one in takes) if issubclass(takes, StrEnum) else ()

    def read(self, text: str) -> Any:
        """The value that a text says; the default of an empty one.

        Raises:
            RequestError: none; the text says what the option takes.
        """
        if not text.strip():
            return self.default
        if self.lines:
            return value_from_given(self.name, self.hint, [t for t in text.splitlines() if t])
        return value_from_text(self.name, self.hint, text)

    @property
    def said(self) -> str:
        """The default as a text; empty where it is nothing."""
        if self.default is None or self.lines:
            return ""
        return text_from_value(self.default)


def option(
    default: Any,
    label: str,
    says: str,
    *,
    letter: str = "N",
    lines: bool = False,
    long: bool = False,
) -> Any:
    """A field of a question that can be chosen.

    Args:
        default: Its value where nothing is chosen.
        label: As ``Option`` has it, and so on.
        says: What it does.
        letter: What stands for its value.
        lines: Whether it is a list of texts.
        long: Whether it is a text of many lines.
    """
    words = _Words(label, says, letter, lines, long)
    made: Any = field(default=default, metadata={_Words: words})
    return made


def options_of(kind: type) -> tuple[Option, ...]:
    """What can be chosen of a question, or of a study, in the order of its fields."""
    hints = hints_of(kind)
    return tuple(
        Option(
            one.name, words.label, words.says, words.letter, hints[one.name], one.default,
            words.lines, words.long,
        )
        for one in fields(kind)
        if (words := one.metadata.get(_Words)) is not None
    )  # fmt: skip


def question_from_texts(
    kind: type[Question[Any]], request: Request, texts: Mapping[str, str]
) -> Question[Any]:
    """A question of what is typed and chosen.

    Args:
        kind: The question's type.
        request: What it is asked of.
        texts: By the options' names; those that are missing or empty are as by default.

    Raises:
        RequestError: a text says nothing that its option takes, or the question cannot be asked.
    """
    chosen = {one.name: one.read(str(texts.get(one.name, ""))) for one in options_of(kind)}
    return kind(request, **chosen)
