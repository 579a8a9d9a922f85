"""Queries and keys in one space: the pattern stays, and the number that helps most is taken."""

from __future__ import annotations

import pytest
import torch
from specimens import MAKERS, TOKEN_IDS, Specimen, specimen

from visit.attribution.scored import score_head
from visit.explore.query_key import join, join_prompts


@pytest.fixture(params=sorted(MAKERS))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def test_the_softmax_of_the_joint_space_is_the_models_own(tiny: Specimen):
    made = score_head(tiny.architecture, tiny.trace, 1, 2, torch.float64)
    joint = join(made.query.whole, made.key.whole, made.seen)
    scores = joint.queries @ joint.keys.T * made.scale + made.bias
    before = made.attend(made.scores, made.seen)
    if made.cap is None:  # a cap bends what is added to all scores alike
        torch.testing.assert_close(made.attend(scores, made.seen), before, rtol=0, atol=1e-10)
    own = tiny.trace.layers[1].attention[2].double()
    torch.testing.assert_close(before, own, rtol=1e-9, atol=1e-9)


def test_the_correlation_is_that_of_score_and_distance_and_no_scale_has_a_better():
    tiny = specimen("llama-gqa")  # of any family: queries and keys are all that it takes
    made = score_head(tiny.architecture, tiny.trace, 2, 0, torch.float64)
    joint = join(made.query.whole, made.key.whole, made.seen)
    readers, sources = made.seen.nonzero(as_tuple=True)

    def correlation(scale: float) -> float:
        moved = made.key.whole + made.query.whole.mean(0) - made.key.whole.mean(0)
        apart = (made.query.whole[readers] * scale - moved[sources] / scale).norm(dim=1)
        products = (made.query.whole[readers] * moved[sources]).sum(1)
        return float(torch.corrcoef(torch.stack([products, apart]))[0, 1])

    assert joint.correlation == pytest.approx(correlation(joint.scale), abs=1e-6)
    assert (
        joint.correlation <= min(correlation(scale) for scale in (0.3, 0.7, 1.0, 1.6, 4.0)) + 0.02
    )
    torch.testing.assert_close(
        joint.queries.mean(0) / joint.scale, joint.keys.mean(0) * joint.scale
    )


def test_tokens_of_two_prompts_do_not_see_each_other():
    tiny = specimen("llama-gqa")
    made = score_head(tiny.architecture, tiny.trace, 1, 2, torch.float64)
    side = (made.query.whole, made.key.whole, made.seen)
    both = join_prompts([side, side])
    alone = join(*side)
    assert both.correlation == pytest.approx(alone.correlation)
    assert len(both.queries) == 2 * len(TOKEN_IDS)


def test_too_few_pairs_say_nothing():
    x = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    joint = join(x, x, torch.ones(2, 2).tril().bool())
    assert joint.correlation != joint.correlation and joint.scale == 1.0
