"""Maps of real prompts: every residual, at every depth, on the same axes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from visit.engine.exploring import MapResiduals
from visit.errors import RequestError
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of")
OTHER = "The capital of Peru is"


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.mark.parametrize("lengths", [False, True])
def test_every_residual_has_its_place_among_all(session: Session, lengths: bool):
    found = session.ask(MapResiduals(REQUEST, others=(OTHER,), first_token=True, lengths=lengths))
    traces = [session.resident.trace(one, lambda *_: None) for one in (REQUEST, Request(OTHER))]
    depths = []
    for depth in range(session.resident.info.n_layers + 1):
        x = torch.cat([trace.residuals[depth] for trace in traces])
        x = x if lengths else torch.nn.functional.normalize(x, dim=-1)
        x = x - x.mean(0)
        depths.append(x if lengths else x / x.square().sum(1).mean().sqrt())
    x = torch.stack(depths, 1).flatten(0, 1).numpy()
    own = PCA(2, random_state=0).fit_transform(x)
    places = [place for point in found.points for place in point.path]
    np.testing.assert_allclose(np.array(places), own, atol=1e-3 * abs(own).max())
    assert found.n_depths == session.resident.info.n_layers + 1 and found.n_prompts == 2
    assert [point.token.text for point in found.points][:2] == ["The", " capital"]
    assert len(found.points) == sum(len(trace.token_ids) for trace in traces)


def test_the_first_tokens_are_left_out_and_a_shared_beginning_is_no_finding(session: Session):
    found = session.ask(MapResiduals(REQUEST, others=(OTHER,)))
    assert found.left_out and min(point.token.position for point in found.points) == 1
    assert "cosine 1.000" not in found.findings()[1]
    table = found.tables()[0]
    assert len(table.rows) == len(found.points)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (MapResiduals(REQUEST, others=("a b",) * 50), "50 other prompts are given; 49 are mapped"),
        (MapResiduals(Request(" Japan")), "0 tokens are no map; give a longer prompt"),
    ],
)
def test_what_cannot_be_mapped_is_refused(session: Session, question: MapResiduals, said: str):
    with pytest.raises(RequestError, match=said):
        session.ask(question)
