"""Patterns of memories that fire together: non-negative matrix factorisation of activations.

What is factored is ``max(activation, 0)``, tokens by memories of several layers at once:
``X ≈ W H``, neither with a negative number. A factor is a column of ``W``, how active it is at each
token, and a row of ``H``, how active it makes each memory.

Source: Alammar 2021 (Ecco); Lee & Seung 1999; scikit-learn's NMF, initialised with NNDSVDa.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from visit.errors import RequestError
from visit.models.architectures import Architecture
from visit.tracing.precision import ledger_dtype
from visit.tracing.trace import Trace

MOST_SOUGHT = 12
"""As many patterns at most are looked at to find where the errors bend."""
_MOST_STEPS = 100
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Factored:
    """Activations as patterns.

    Attributes:
        tokens: How active each pattern is at each token: the L2 norm of what it makes there.
        memories: How active it makes each memory, each row of unit length.
        error: What is left, as a part of the activations' L2 norm.
    """

    tokens: Float[Tensor, "token factor"]
    memories: Float[Tensor, "factor memory"]
    error: float


def activations(
    architecture: Architecture, trace: Trace, layers: Sequence[int], tokens: slice
) -> Float[Tensor, "token memory"]:
    """The activations of several layers' memories side by side, negative ones as 0.

    Raises:
        RequestError: a layer has experts in place of memories.
    """
    found = []
    for layer in layers:
        activation = trace.layers[layer].activation
        if activation is None:
            raise RequestError(
                f"layer {layer} is a mixture of experts and has no memories; choose other layers"
            )
        found.append(activation[tokens].clamp_min(0))
    return torch.cat(found, dim=1)


def errors_at_best(x: Float[Tensor, "token memory"], most: int) -> list[float]:
    """What the best approximations of rank 1, 2 and so on leave, as a part of the L2 norm.

    They may be negative where factors may not, so no factorisation of as many is better.

    Source: Eckart & Young 1936.
    """
    wide = x.to(ledger_dtype(x))
    squares = torch.linalg.eigvalsh(wide @ wide.T).flip(0).clamp_min(0)
    left = 1 - squares.cumsum(0) / squares.sum().clamp_min(torch.finfo(wide.dtype).tiny)
    found: list[float] = left.clamp_min(0).sqrt()[:most].tolist()
    return found


def bend_of(errors: Sequence[float]) -> int:
    """How many patterns there are where a falling curve of errors bends most.

    The point that is farthest below the straight line from the first to the last.

    Source: Satopaa et al. 2011, "Finding a kneedle in a haystack", without smoothing.
    """
    n_steps = len(errors) - 1
    if n_steps < 2:
        return len(errors)
    line = np.linspace(errors[0], errors[-1], len(errors))
    below = line - np.asarray(errors)
    # What is on the line to the last digits bends nowhere: then all of them are taken.
    return int(below.argmax()) + 1 if below.max() > 1e-9 * max(errors[0], 1e-300) else len(errors)


def factor(x: Float[Tensor, "token memory"], count: int, seed: int) -> Factored:
    """Factor activations into patterns, the same each time.

    Args:
        x: None of it negative.
        count: How many patterns, at most as many as there are tokens.
        seed: Of what fills zeros of the initial factors, and of the randomised SVD.
    """
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    # A memory that never fires is in no pattern.
    fires = x.any(0)
    matrix = x[:, fires].float().cpu().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the error says how near it comes
        model = NMF(count, init="nndsvda", max_iter=_MOST_STEPS, tol=_TOLERANCE, random_state=seed)
        w = torch.from_numpy(model.fit_transform(matrix))
    h = torch.from_numpy(model.components_)
    lengths = h.norm(dim=1)
    unit = h / lengths.where(lengths > 0, torch.ones_like(lengths))[:, None]
    memories = torch.zeros(count, x.shape[1])
    memories[:, fires.cpu()] = unit
    error = float(model.reconstruction_err_) / float(np.linalg.norm(matrix))
    tokens = w * lengths
    order = tokens.square().sum(0).argsort(descending=True, stable=True)
    return Factored(tokens[:, order], memories[order], error)
