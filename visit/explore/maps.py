"""Many residuals in the plane, on the same axes at every depth.

One projection is fitted to the residuals of all depths together, so that a token's places can be
followed from layer to layer. What all tokens have in common at a depth is taken off, or the first
axis would be the depth. Residuals grow with depth by an order of magnitude; unless asked otherwise
each is scaled to unit length first and every depth to the same spread, or some layers would be all
that is seen.

Source: van Aken et al. 2020, "VisBERT", who fit each layer by itself.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.errors import RequestError
from visit.graph.explored.maps import Projection
from visit.tracing.precision import ledger_dtype

N_NEIGHBOURS = 5
MOST_SCATTERED = 5000
"""Vectors that t-SNE and UMAP lay out."""
_FEW = 600
"""Vectors of which all pairs are looked at by t-SNE, which is quicker for so few."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Points in the plane.

    Attributes:
        places: Of each vector.
        explained: Of PCA, the part of the variance along each axis; empty otherwise.
    """

    places: Float[Tensor, "vector 2"]
    explained: tuple[float, ...]


def spread_of(
    residuals: Float[Tensor, "token depth d_model"], *, scaled: bool
) -> Float[Tensor, "token depth d_model"]:
    """Residuals less their mean at their depth.

    Args:
        residuals: Of some tokens.
        scaled: Whether each is scaled to unit length before, and what is left to the same root mean
            square at every depth.
    """
    if not scaled:
        return residuals - residuals.mean(0)
    unit = torch.nn.functional.normalize(residuals, dim=-1)
    apart = unit - unit.mean(0)
    spread = apart.square().sum(-1).mean(0).sqrt()[None, :, None]
    return apart / spread.clamp_min(torch.finfo(apart.dtype).eps)


def project(vectors: Float[Tensor, "vector d_model"], how: Projection, seed: int) -> Plane:
    """Vectors in two dimensions.

    Args:
        vectors: Three or more.
        how: In which way.
        seed: Of what is random in it.

    Raises:
        RequestError: UMAP is asked for, and is not installed; or there are too many vectors for
            anything but PCA.
    """
    x = vectors.float().cpu().numpy()
    if how is Projection.PCA:
        from sklearn.decomposition import PCA

        model: Any = PCA(2, random_state=seed)
        places = model.fit_transform(x)
        return Plane(torch.from_numpy(places), tuple(model.explained_variance_ratio_.tolist()))
    if len(x) > MOST_SCATTERED:
        raise RequestError(
            f"{len(x):,} residuals are to be laid out by {how}, which takes minutes from "
            f"{MOST_SCATTERED:,} on and cannot be cancelled; give pca, or fewer tokens"
        )
    if how is Projection.TSNE:
        from sklearn.manifold import TSNE

        model = TSNE(
            2,
            perplexity=min(30.0, (len(x) - 1) / 3),  # scikit-learn's own, where there are as many
            init="pca",
            method="exact" if len(x) <= _FEW else "barnes_hut",
            random_state=seed,
        )
    else:
        model = _umap(len(x), seed)
    n_threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries, about threads and their own defaults
            return Plane(torch.from_numpy(model.fit_transform(x)), ())
    finally:
        torch.set_num_threads(n_threads)  # UMAP's compiler sets those of the whole process


def _umap(n_vectors: int, seed: int) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from umap import UMAP
    except ImportError:
        raise RequestError(
            "projection is 'umap', which needs a package that is not installed: "
            "pip install 'visit-flow[maps]', or give pca or tsne"
        ) from None
    return UMAP(n_neighbors=min(15, n_vectors - 1), random_state=seed, n_jobs=1)


def nearest(
    vectors: Float[Tensor, "vector d_model"],
) -> tuple[Int[Tensor, "vector near"], Float[Tensor, "vector near"]]:
    """Of each vector, those that point most nearly the same way, itself left out, and the cosines.

    In the space of the residuals, not in the plane.
    """
    unit = torch.nn.functional.normalize(vectors.to(ledger_dtype(vectors)), dim=-1)
    cosines = unit @ unit.T
    cosines.fill_diagonal_(-torch.inf)
    found = cosines.topk(min(N_NEIGHBOURS, len(vectors) - 1), dim=1)
    return found.indices, found.values
