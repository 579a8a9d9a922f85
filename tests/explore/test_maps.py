"""Residuals in the plane: scikit-learn's components, and neighbours of the full space."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from visit.errors import RequestError
from visit.explore.maps import nearest, project
from visit.graph.explored.maps import Projection


def cloud(count: int = 40) -> torch.Tensor:
    """Three groups of vectors that are far apart."""
    gen = torch.Generator().manual_seed(0)
    middles = 6 * torch.randn(3, 12, generator=gen)
    return middles[torch.arange(count) % 3] + torch.randn(count, 12, generator=gen)


def test_components_are_scikit_learns():
    x = cloud()
    found = project(x, Projection.PCA, 0)
    own = PCA(2, random_state=0).fit(x.numpy())
    np.testing.assert_allclose(found.places.numpy(), own.transform(x.numpy()), atol=1e-5)
    assert found.explained == pytest.approx(own.explained_variance_ratio_.tolist())


@pytest.mark.parametrize("how", [Projection.TSNE, Projection.UMAP])
def test_the_other_projections_keep_groups_together_and_are_the_same_each_time(how: Projection):
    x, n_threads = cloud(), torch.get_num_threads()
    found = project(x, how, 3)
    assert torch.get_num_threads() == n_threads
    assert found.places.shape == (40, 2) and found.explained == ()
    assert torch.equal(project(x, how, 3).places, found.places)
    groups = torch.arange(40) % 3
    apart = torch.cdist(found.places, found.places)
    same = groups[:, None] == groups[None]
    # The nearest of each is of its own group.
    apart.fill_diagonal_(torch.inf)
    assert bool(same[torch.arange(40), apart.argmin(1)].all())


def test_without_its_package_umap_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *given: Any, **named: Any) -> Any:
        if name == "umap":
            raise ImportError(name)
        return real(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RequestError, match=r"not installed: pip install 'visit-flow\[maps\]'"):
        project(cloud(), Projection.UMAP, 0)


def test_more_vectors_than_take_seconds_are_refused():
    with pytest.raises(RequestError, match="5,001 residuals are to be laid out by tsne"):
        project(torch.zeros(5001, 3), Projection.TSNE, 0)


def test_neighbours_are_those_of_the_greatest_cosine():
    x = cloud(9).double()
    found, cosines = nearest(x)
    for one in range(9):
        own = [
            (float(torch.cosine_similarity(x[one], x[other], dim=0)), other)
            for other in range(9)
            if other != one
        ]
        best = sorted(own, reverse=True)[:5]
        assert found[one].tolist() == [other for _, other in best]
        assert cosines[one].tolist() == pytest.approx([cosine for cosine, _ in best])
