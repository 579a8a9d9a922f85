"""What a survey measured: a column a number, a row a prompt, whatever the number's own shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """What stands in one column.

    Attributes:
        name: As files and code call it, like ``head_overlap``.
        says: What it is, as part of a sentence.
        axes: What its dimensions are beside the prompt, like ``layer`` and ``head``; none of a
            plain number.
        unit: ``bits``, ``logits`` and so on; empty of a share, a count or an id.
    """

    name: str
    says: str
    axes: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A prompt that could not be measured.

    Attributes:
        place: Its place among the prompts that were asked about.
        reason: Why, in one line.
    """

    place: int
    reason: str


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What was measured of some prompts.

    Attributes:
        columns: What each of the values is.
        values: By a column's name, ``[prompt, *axes]``: numbers, or texts where it has no axes.
            Of NaN nothing is known, as of a score whose tokens a prompt lacks.
        places: The place of each row's prompt among those that were asked about, in order.
        failed: The others.
    """

    columns: tuple[Column, ...]
    values: Mapping[str, Array]
    places: tuple[int, ...]
    failed: tuple[Unmeasured, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that do not fit their columns.

        Raises:
            ValueError: one has other rows or axes.
        """
        if {one.name for one in self.columns} != set(self.values):
            raise ValueError(f"columns {[c.name for c in self.columns]}, values {[*self.values]}")
        for one in self.columns:
            shape = self.values[one.name].shape
            # Of no prompt at all an array cannot know its other axes.
            knows = len(shape) == 1 + len(one.axes) or not self.places
            if not knows or shape[0] != len(self.places):
                raise ValueError(f"{one.name} has the shape {shape} for {len(self.places)} prompts "
                                 f"and the axes {one.axes}")  # fmt: skip


def columns_of(**values: Sequence[Any] | Array) -> Surveyed:
    """What was measured of all prompts, none of which failed.

    Args:
        values: By a column's name, a number or a text a prompt, or lists of numbers of one length;
            their axes are called ``place``, where there is one, or ``axis 1`` and so on.
    """
    arrays = {name: np.asarray(value) for name, value in values.items()}
    arrays = {
        name: value.astype(object) if value.dtype.kind == "U" else value
        for name, value in arrays.items()
    }
    columns = []
    for name, value in arrays.items():
        n_axes = value.ndim - 1
        axes = ("place",) if n_axes == 1 else tuple(f"axis {n + 1}" for n in range(n_axes))
        columns.append(Column(name, name, axes))
    n = len(next(iter(arrays.values()), ()))
    return Surveyed(tuple(columns), arrays, tuple(range(n)))


def join_surveyed(parts: Sequence[Surveyed]) -> Surveyed:
    """Surveys of the same columns as one, rows in the order of their places.

    Raises:
        ValueError: there is none, or they have other columns.
    """
    if not parts or any(one.columns != parts[0].columns for one in parts):
        raise ValueError("give at least one survey, all with the same columns")
    places = np.concatenate([np.asarray(one.places, int) for one in parts])
    order = np.argsort(places, kind="stable")
    failed = [failure for one in parts for failure in one.failed]
    return Surveyed(
        parts[0].columns,
        {
            name: np.concatenate([one.values[name] for one in parts])[order]
            for name in parts[0].values
        },
        tuple(places[order].tolist()),
        tuple(sorted(failed, key=lambda one: one.place)),
    )
