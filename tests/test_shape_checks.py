"""What the tests check of every call's types: faults that are planted in a module are found."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from shape_checks import MOST_MADE, check_shapes

SOURCE = '''
"""Calls of every sort."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from jaxtyping import Float
from torch import Tensor

OUTER = "A text that stands by itself."
"""And what it is."""


def product(one: Float[Tensor, "row inner"], other: Float[Tensor, "inner column"]) -> Float[
    Tensor, "row column"
]:
    return one @ other


def turned(one: Float[Tensor, "row column"]) -> Float[Tensor, "column row"]:
    return one


def of_each(rows: Float[Tensor, "row column"]) -> list[float]:
    def size(row: Float[Tensor, "column"]) -> float:
        return float(row.norm())

    return [size(row) for row in rows] + [size(rows)]


def rows_of(one: Float[Tensor, "row column"]) -> Iterator[Float[Tensor, "column"]]:
    yield from one


@cache
def counted(number: int) -> str:
    return number


def unknown(one: NoSuchName, number: int) -> NoSuchName:
    return one


@dataclass
class Pair:
    one: Float[Tensor, "size"]
    other: Float[Tensor, "size"]

    @property
    def length(self) -> int:
        return "long"

    @classmethod
    def of(cls, number: int) -> Pair:
        return number
'''


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    folder = tmp_path_factory.mktemp("checked")
    (folder / "checked_calls.py").write_text(SOURCE, encoding="utf-8")
    before = list(sys.meta_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        check_shapes(["checked_calls"])
        yield importlib.import_module("checked_calls")
    sys.meta_path[:] = before
    del sys.modules["checked_calls"]


def refused() -> pytest.RaisesExc:
    return pytest.raises(BeartypeCallHintViolation)


def test_sizes_of_axes_agree_among_arguments_and_with_the_result(calls: ModuleType):
    assert calls.product(torch.ones(2, 3), torch.ones(3, 5)).shape == (2, 5)
    assert calls.product(torch.ones(4, 1), torch.ones(1, 1)).shape == (4, 1)  # by each call anew
    assert calls.turned(torch.ones(2, 2)).shape == (2, 2)
    with refused():
        calls.product(torch.ones(2, 3), torch.ones(4, 5))
    with refused():
        calls.product(torch.ones(2, 3), torch.ones(3, 5, dtype=torch.int64))
    with refused():
        calls.turned(torch.ones(2, 3))


def test_a_function_that_is_made_inside_another_is_checked_until_it_was_made_often(
    calls: ModuleType,
):
    for _ in range(MOST_MADE):
        with refused():
            calls.of_each(torch.ones(2, 3))
    assert len(calls.of_each(torch.ones(2, 3))) == 3


def test_what_is_decorated_already_is_checked_inside(calls: ModuleType):
    with refused():
        calls.counted(3)
    with refused():
        calls.Pair.of(3)


def test_a_dataclass_is_checked_when_it_is_made_and_its_properties_when_they_are_asked_for(
    calls: ModuleType,
):
    pair = calls.Pair(torch.ones(3), torch.ones(3))
    with refused():
        calls.Pair(torch.ones(3), torch.ones(4))
    with refused():
        print(pair.length)


def test_what_yields_is_checked_when_it_is_called(calls: ModuleType):
    assert len(list(calls.rows_of(torch.ones(2, 3)))) == 2
    with pytest.raises(Exception, match="Type-check error whilst checking the parameters"):
        calls.rows_of(torch.ones(2))


def test_a_name_that_only_mypy_knows_may_be_anything_and_what_is_beside_it_is_checked(
    calls: ModuleType,
):
    assert calls.unknown("anything", 3) == "anything"
    with refused():
        calls.unknown("anything", "three")


def test_the_package_s_own_functions_are_checked():
    from visit.attribution.circuits import head_outputs

    with refused():
        head_outputs(torch.ones(7, 5, 8), torch.ones(5, 9, 40))
