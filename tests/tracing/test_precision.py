"""Weights widened a few rows at a time, against the whole of them widened at once."""

from __future__ import annotations

import pytest
import torch

from visit.tracing import precision


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("elements", [1, 24, 25, 1 << 19])
def test_a_product_does_not_depend_on_the_pieces(
    elements: int, is_transposed: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(precision, "WIDENED_ELEMENTS", elements)
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(11, 8, generator=generator)
    if is_transposed:
        matrix = torch.randn(8, 11, generator=generator).T
    x = torch.randn(3, 11, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(
        precision.multiply_wide(x, matrix), x @ matrix.double(), rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize("elements", [1, 24, 25, 88, 1000])
def test_the_pieces_are_all_rows_in_order_and_no_larger_than_asked(elements: int):
    matrix = torch.arange(88, dtype=torch.bfloat16).reshape(11, 8)
    like = torch.empty(0, dtype=torch.float64)
    pieces = []
    for rows, wide in precision.widen(matrix, like, elements):
        assert torch.equal(wide, matrix[rows].double())
        pieces.append(wide.clone())  # the next one lies where it lay
    assert torch.equal(torch.cat(pieces), matrix.double())
    assert all(len(piece) == 1 or piece.numel() <= elements for piece in pieces)


def test_what_is_wide_enough_is_not_copied():
    matrix = torch.randn(11, 8, dtype=torch.float64)
    for rows, wide in precision.widen(matrix, torch.empty(0, dtype=torch.float64), 24):
        assert wide.data_ptr() == matrix[rows].data_ptr()
