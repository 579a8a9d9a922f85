"""The tests of a comparison catch faults: each one planted in it breaks at least one of them.

A swapped sign and tokens brought together one place off are what a reader would not see.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from visit.graph import alignment, compare
from visit.graph.alignment import Alignment, Column
from visit.web.causes import difference

HERE = Path(__file__).parent
FILES = ("graph/test_compare.py", "graph/test_alignment.py", "web/comparing/test_compared.py")


def find_tests(file: str) -> dict[str, Callable[[], Any]]:
    """A file's tests that take nothing, without hypothesis's: it tries one that fails for long."""
    spec = importlib.util.spec_from_file_location(f"planted_{Path(file).stem}", HERE / file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {
        f"{file}: {name}": test
        for name, test in vars(module).items()
        if name.startswith("test_")
        and not inspect.signature(test).parameters
        and not hasattr(test, "hypothesis")
    }


def broken() -> list[str]:
    """The tests that fail."""
    failed = []
    for file in FILES:
        for name, test in find_tests(file).items():
            try:
                test()
            except (AssertionError, KeyError, IndexError):
                failed.append(name)
    return failed


Plant = Callable[[pytest.MonkeyPatch], None]


def shifted(made: Alignment, by: int = 1) -> Alignment:
    """Each token of the second beside the one after its own, the last beside none."""
    seconds = [column.second for column in made.columns]
    moved = [*([None] * by), *seconds[:-by]]
    columns = [Column(c.first, at) for c, at in zip(made.columns, moved, strict=True)]
    return replace(made, columns=(*columns, *(Column(None, at) for at in seconds[-by:])))


def swap_the_sign(patch: pytest.MonkeyPatch) -> None:
    own = compare.Compared.difference
    patch.setattr(
        compare.Compared,
        "difference",
        lambda one, measure: None if (d := own(one, measure)) is None else -d,
    )


def swap_the_sides(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(difference, "compare", lambda first, second: compare.compare(second, first))


def shift_the_tokens(patch: pytest.MonkeyPatch) -> None:
    own = alignment.align_tokens
    patch.setattr(compare, "align_tokens", lambda *given: shifted(own(*given)))


def lay_values_from_their_first_tokens(patch: pytest.MonkeyPatch) -> None:
    def beside(first: range, second: range) -> Any:
        n_both = min(len(first), len(second))
        yield from (Column(*pair) for pair in zip(first, second, strict=False))
        yield from (Column(at, None) for at in first[n_both:])
        yield from (Column(None, at) for at in second[n_both:])

    patch.setattr(alignment, "_beside", beside)


def colour_a_part_at_the_column_of_the_other(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(difference, "at_column", lambda id_, _places: id_)


def take_what_one_graph_lacks_for_zero(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        compare.Compared,
        "difference",
        lambda one, measure: (
            (one._said(one.second, measure) or 0.0) - (one._said(one.first, measure) or 0.0)
        ),
    )


FAULTS: tuple[Plant, ...] = (
    swap_the_sign,
    swap_the_sides,
    shift_the_tokens,
    lay_values_from_their_first_tokens,
    colour_a_part_at_the_column_of_the_other,
    take_what_one_graph_lacks_for_zero,
)


def test_without_a_fault_every_test_of_a_comparison_holds():
    assert sum(len(find_tests(file)) for file in FILES) > 9
    assert broken() == []


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
def test_a_fault_that_is_planted_in_a_comparison_is_caught(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
):
    plant(monkeypatch)
    assert broken(), f"no test notices: {plant.__name__}"
