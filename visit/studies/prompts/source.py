"""The prompts of a study, wherever they come from: a file, a template with values, or made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

from visit.errors import RequestError
from visit.formats.prompt_files import has_columns
from visit.formats.prompts import PROMPT, read_prompts, repeat_values
from visit.graph.consensus import LeftOut
from visit.graph.template import Template
from visit.studies.prompts.bundled import BUNDLED, USUAL
from visit.studies.prompts.targets import spaced_target
from visit.studies.study import Prompt

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Prompts:
    """What a study asks about.

    Attributes:
        name: Of the file, or of the bundled prompts.
        prompts: In the order of the file, or as they were drawn.
        left_out: The lines of the file that are no prompt, and why; of all of it, whatever was
            drawn.
    """

    name: str
    prompts: tuple[Prompt, ...]
    left_out: tuple[LeftOut, ...] = ()


def read_source(
    source: str,
    *,
    column: str | None = None,
    target_column: str | None = None,
    template: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    shuffle: bool = True,
    exact_targets: bool = False,
) -> Prompts:
    """Read prompts, or make them.

    The first lines of a file are seldom like the others: they are sorted, or of one kind. So a
    limit draws at random, with the seed 0 unless another is given; of one seed, a smaller limit
    draws some of what a larger one does. A file's prompts stay in its order, whatever the seed.

    Args:
        source: The name of bundled prompts (``BUNDLED``), or a file; a file of such a name is
            given as ``./capitals``.
        column: The file's column with the prompt; ``None`` for ``prompt``.
        target_column: Its column with the right answer; ``None`` for ``target``, if there is one.
        template: A prompt with slots, each the name of a column; of a text file with a value a
            line, one slot.
        limit: How many prompts at most; ``None`` for all of a file's, and for 100 bundled ones.
        seed: Draws a file's prompts, and makes the bundled ones.
        shuffle: Whether a limit draws at random from a file; otherwise it takes the first.
        exact_targets: Whether a file's answers are read as they stand, without ``spaced_target``.

    Raises:
        RequestError: there is no such file or column, none of its lines is a prompt, there are
            not so many prompts, or what was asked for contradicts itself.
    """
    if limit is not None and limit < 1:
        raise RequestError(f"limit is {limit}; give 1 or more, or none for all prompts")
    if source in BUNDLED:
        if column or target_column or template:
            raise RequestError(
                f"{source} is bundled and has no columns, nor values for a template; give the "
                f"file ./{source} if that is meant"
            )
        drawn = BUNDLED[source].draw(limit or USUAL, seed)
        return Prompts(
            source,
            tuple(Prompt(id_, id_ + 1, *both) for id_, both in enumerate(drawn)),
        )
    form = None if template is None else Template.parse(template)
    path = Path(source)
    _check_columns(path, column, target_column, form)
    names = (column or PROMPT,) if form is None else form.names
    rows, left_out = read_prompts(path, names, target_column)
    if not rows:
        raise RequestError(
            f"no line of {path} can be read; line {left_out[0].line}: {left_out[0].reason}"
        )
    prompts = list[Prompt]()
    for id_, row in enumerate(_draw(rows, limit, seed if shuffle else None)):
        values = repeat_values(row, names, names)
        text = values[0] if form is None else form.fill(values)[0]
        target = row.target if exact_targets else spaced_target(text, row.target)
        prompts.append(Prompt(id_, row.line, text, target))
    return Prompts(path.name, tuple(prompts), tuple(left_out))


def _check_columns(
    path: Path, column: str | None, target_column: str | None, form: Template | None
) -> None:
    """Refuse what contradicts itself, and what is neither a file nor bundled."""
    if not path.exists():
        raise RequestError(
            f"{str(path)!r} is no file and no bundled prompts; give a file, or one of "
            f"{', '.join(BUNDLED)}"
        )
    if column and form is not None:
        raise RequestError(
            f"column {column!r} and a template are given; give one: the template's slots are "
            "columns"
        )
    if column and column == target_column:
        raise RequestError(f"{column!r} is to be the prompt and its answer; give two columns")
    if column and not has_columns(path):
        raise RequestError(
            f"{path} is text and has no column {column!r}; give CSV, JSON, JSON Lines or Parquet"
        )


def _draw(members: Sequence[_T], limit: int | None, seed: int | None) -> list[_T]:
    """As many as the limit allows, in their order: the first ones, or drawn with a seed."""
    places = list(range(len(members)))
    if seed is not None:
        Random(seed).shuffle(places)
    return [members[place] for place in sorted(places[:limit])]
