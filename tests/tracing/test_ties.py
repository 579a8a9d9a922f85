"""The greatest numbers, where some of them are equal."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visit.tracing.ties import find_greatest

few_numbers = st.lists(st.integers(-3, 3), min_size=0, max_size=20)


@given(st.lists(few_numbers, min_size=1, max_size=3), st.integers(0, 25), st.booleans())
def test_of_equal_numbers_the_first_comes_first(rows: list[list[int]], count: int, least: bool):
    width = min(map(len, rows))
    values = torch.tensor([row[:width] for row in rows], dtype=torch.float32)
    sign = 1 if least else -1
    expected = [
        sorted(range(width), key=lambda place, row=row: (sign * row[place], place))[:count]
        for row in rows
    ]
    assert find_greatest(values, count, least=least).tolist() == expected
    assert find_greatest(values[0], count, least=least).tolist() == expected[0]


@pytest.mark.parametrize("least", [False, True])
def test_fewer_are_the_first_of_more(least: bool):
    values = torch.randn(4, 5000, generator=torch.Generator().manual_seed(2)).round(decimals=1)
    every = find_greatest(values, 5000, least=least)
    for count in (1, 10, 37, 400):
        assert torch.equal(find_greatest(values, count, least=least), every[:, :count])
