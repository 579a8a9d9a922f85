"""Factors of activations are scikit-learn's own, and as many as the errors say."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from specimens import specimen

from visit.errors import RequestError
from visit.explore.factors import activations, bend_of, errors_at_best, factor


def matrix(seed: int = 0) -> torch.Tensor:
    """Tokens by memories, made of three patterns and a little noise; one memory never fires."""
    gen = torch.Generator().manual_seed(seed)
    w, h = torch.rand(17, 3, generator=gen), torch.rand(3, 40, generator=gen)
    x = w @ h + 0.01 * torch.rand(17, 40, generator=gen)
    x[:, 13] = 0
    return x


@pytest.mark.parametrize(("count", "seed"), [(3, 0), (5, 7)])
def test_factors_are_those_that_scikit_learn_finds_with_the_same_seed(count: int, seed: int):
    x = matrix()
    found = factor(x, count, seed)
    fires = x.any(0).numpy()
    own = NMF(count, init="nndsvda", max_iter=100, tol=1e-3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        w = own.fit_transform(x.numpy()[:, fires])
    np.testing.assert_allclose(
        (found.tokens @ found.memories).numpy()[:, fires], w @ own.components_, rtol=2e-4, atol=1e-5
    )
    assert found.error == pytest.approx(
        own.reconstruction_err_ / np.linalg.norm(x.numpy()), rel=1e-4
    )
    assert torch.equal(factor(x, count, seed).tokens, found.tokens)
    assert (found.tokens >= 0).all() and (found.memories >= 0).all()
    assert not found.memories[:, 13].any()
    torch.testing.assert_close(found.memories.norm(dim=1), torch.ones(count))
    strength = found.tokens.square().sum(0)
    assert torch.equal(strength, strength.sort(descending=True).values)


def test_errors_at_best_are_the_singular_values_that_are_left():
    x = matrix()
    values = np.linalg.svd(x.double().numpy(), compute_uv=False)
    wanted = [np.sqrt((values[k:] ** 2).sum() / (values**2).sum()) for k in range(1, 8)]
    assert errors_at_best(x, 7) == pytest.approx(wanted, abs=1e-9)
    for count in (1, 3, 5):
        assert factor(x, count, 0).error >= wanted[count - 1] - 1e-6


def test_the_bend_is_where_another_pattern_helps_little():
    assert bend_of(errors_at_best(matrix(), 10)) == 3
    assert bend_of([0.9, 0.2, 0.19, 0.18, 0.17]) == 2
    assert bend_of([0.5]) == 1 and bend_of([0.5, 0.1]) == 2
    assert bend_of([0.4, 0.3, 0.2, 0.1]) == 4  # a straight line bends nowhere


def test_activations_stand_side_by_side_without_what_is_negative():
    tiny = specimen("llama-gqa")
    x = activations(tiny.architecture, tiny.trace, (0, 2), slice(1, 6))
    for place, layer in enumerate((0, 2)):
        own = tiny.trace.layers[layer].activation[1:6]
        d_mlp = own.shape[1]
        assert torch.equal(x[:, place * d_mlp : (place + 1) * d_mlp], own.clamp_min(0))
    assert bool((own < 0).any())


def test_a_mixture_has_no_memories_to_factor():
    tiny = specimen("mixtral")
    with pytest.raises(RequestError, match="layer 0 is a mixture of experts and has no memories"):
        activations(tiny.architecture, tiny.trace, (0,), slice(None))
