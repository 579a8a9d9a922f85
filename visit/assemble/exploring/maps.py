"""Request and other prompts -> Maps."""

from __future__ import annotations

import torch

from visit import __version__
from visit.assemble.exploring.chosen import requests_of_prompts
from visit.assemble.residency import Resident
from visit.engine.exploring import MapResiduals
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.explore.maps import nearest, project, spread_of
from visit.graph.explored.maps import MappedToken, Maps
from visit.graph.token_groups import group_of, groups_from_typed

_LEAST = 3
"""How many vectors a plane needs."""


def map_residuals(question: MapResiduals, resident: Resident, tell: Progress) -> Maps:
    """Every residual of the prompts as a point.

    Raises:
        RequestError: there are too many prompts, or too few tokens; or a prompt cannot be read.
    """
    request = question.request
    groups = groups_from_typed(question.groups)
    requests = requests_of_prompts(request, question.others, resident)
    points, residuals = [], []
    begins = 0 if question.first_token else 1
    for number, one in enumerate(requests):
        trace = resident.trace(one, tell)
        residuals.append(torch.stack([depth[begins:].float() for depth in trace.residuals], 1))
        tokens = resident.tokens.read(one)
        points += [(number, token) for token in tokens[begins:]]
        tell("maps", 0.5 * (number + 1) / len(requests))
    together = torch.cat(residuals)  # token, depth, d_model
    n_depths = together.shape[1]
    if len(together) < 2 or len(together) * n_depths < _LEAST:
        raise RequestError(
            f"{len(together)} tokens are no map; give a longer prompt, or take the first token in"
        )
    spread = spread_of(together, scaled=not question.lengths)
    if not spread.any():
        raise RequestError("all tokens have the same residuals: there is no map; give others")
    plane = project(spread.flatten(0, 1), question.projection, question.seed)
    places = plane.places.unflatten(0, (-1, n_depths)).tolist()
    near = [nearest(together[:, depth]) for depth in range(n_depths)]
    tell("maps", 1.0)
    neighbours = torch.stack([found for found, _ in near], 1).tolist()
    cosines = torch.stack([found for _, found in near], 1).tolist()
    return Maps(
        visit_version=__version__,
        request=request,
        model=resident.info,
        tokens=resident.tokens.read(request),
        projection=question.projection,
        points=tuple(
            MappedToken(
                prompt,
                token,
                tuple((x, y) for x, y in places[row]),
                tuple(map(tuple, neighbours[row])),
                tuple(map(tuple, cosines[row])),
                group_of(token, groups),
            )
            for row, (prompt, token) in enumerate(points)
        ),
        left_out=begins > 0,
        scaled=not question.lengths,
        explained=plane.explained,
        groups=tuple(group.name for group in groups),
    )
