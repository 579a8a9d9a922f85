"""Where attention rests and what stands out, against loops and an outlier that is planted."""

from __future__ import annotations

import pytest
import torch
from specimens import TOKEN_IDS, Specimen, specimen

from visit.explore.sinks import mean_attention, outliers_of


@pytest.fixture
def tiny() -> Specimen:
    """Of any family: nothing here knows one."""
    return specimen("llama-gqa")


def test_a_sources_mean_is_over_the_readers_from_it_on(tiny: Specimen):
    pattern = tiny.trace.layers[1].attention
    found = mean_attention(pattern)
    n = len(TOKEN_IDS)
    for head in range(len(pattern)):
        for source in range(n):
            own = [float(pattern[head, reader, source]) for reader in range(source, n)]
            assert float(found[head, source]) == pytest.approx(sum(own) / len(own))


def test_what_stands_out_is_measured_by_the_median_of_all(tiny: Specimen):
    residual = tiny.trace.residuals[2]
    positions, coordinates, ratios = outliers_of(residual, 5)
    sizes = residual.double().abs()
    median = float(sizes.flatten().sort().values[(sizes.numel() - 1) // 2])
    for at, coordinate, ratio in zip(positions, coordinates, ratios, strict=True):
        assert float(ratio) == pytest.approx(float(sizes[at, coordinate]) / median)
    assert ratios.tolist() == sorted(ratios.tolist(), reverse=True)


def test_a_planted_outlier_is_the_first():
    residual = torch.randn(5, 40, generator=torch.Generator().manual_seed(0))
    residual[3, 17] = -4000.0
    positions, coordinates, ratios = outliers_of(residual, 3)
    assert (int(positions[0]), int(coordinates[0])) == (3, 17)
    assert float(ratios[0]) > 1000 > float(ratios[1])
