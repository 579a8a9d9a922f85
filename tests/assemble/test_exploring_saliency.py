"""Saliency of a real prompt: adds up, is captum's, and explains a text token by token."""

from __future__ import annotations

import re
from dataclasses import replace

import planted
import pytest
import torch
from captum.attr import InputXGradient

from visit.engine.exploring import ReadSaliency
from visit.engine.questions import Explain
from visit.errors import RequestError
from visit.graph.explored.saliency import Baseline, Saliency, SaliencyMethod, SaliencyOf
from visit.graph.metric import MetricKind
from visit.graph.request import MetricChoice, Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of")
METHODS = list(SaliencyMethod)


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.fixture(scope="module")
def flows(session: Session) -> Saliency:
    return session.ask(ReadSaliency(REQUEST))


def test_flow_comes_from_japan_and_adds_up_to_the_graphs_metric(session: Session, flows: Saliency):
    graph = session.ask(Explain(REQUEST))
    one = flows.traced
    assert one.target == graph.target and one.value == graph.metric.value
    assert flows.metric is MetricKind.CHOICE and one.biases is not None
    assert sum(one.sources) + one.biases == pytest.approx(one.value, abs=1e-4)
    assert flows.tokens[one.strongest[0]].text == " Japan"
    by_node = {str(node.id): node.flow for node in graph.nodes}
    assert one.sources[3] == pytest.approx(by_node["embed@3"], abs=1e-5)
    assert sum(one.shares) == pytest.approx(1.0)


@pytest.mark.parametrize("method", METHODS)
def test_the_strongest_sources_stand_first_and_lead_to_their_embeddings(
    session: Session, method: SaliencyMethod
):
    found = session.ask(ReadSaliency(REQUEST, method, steps=5))
    sources, targets = found.tables()
    amounts = [abs(row[2]) for row in sources.rows]
    assert amounts == sorted(amounts, reverse=True) and len(amounts) == 8
    assert sources.nodes == tuple(f"embed@{row[0]}" for row in sources.rows)
    assert len(targets.rows) == 1 and targets.rows[0][4] == found.traced.value
    assert all(found.findings())


def test_a_text_is_explained_token_by_token(session: Session):
    request = Request("The capital of Japan is the city of Tokyo.", position=-2)
    found = session.ask(ReadSaliency(request, first=3))
    assert [one.position for one in found.targets] == [3, 4, 5, 6, 7, 8]
    follows = [found.tokens[one.position + 1].id for one in found.targets[:-1]]
    assert [one.target.id for one in found.targets[:-1]] == follows
    for one in found.targets:
        assert len(one.sources) == one.position + 1
        assert sum(one.sources) + one.biases == pytest.approx(one.value, abs=1e-4)
        named = Request(request.prompt, position=one.position, target_id=one.target.id)
        alone = session.ask(ReadSaliency(named)).traced
        assert one.sources == pytest.approx(alone.sources, abs=1e-4)
        assert one.value == alone.value and one.biases == pytest.approx(alone.biases, abs=1e-4)
        assert one.target.prob == pytest.approx(alone.target.prob, abs=1e-6)
        assert one.target.rank == alone.target.rank
    assert found.targets[4].target.text == " Tokyo"
    most, other = found.findings()[-1].split("; ")
    assert re.match(r"of 6 next tokens, \d have .* at \d as their strongest source$", most)
    assert re.match(r"the strongest other is .* at \d, of .* after position \d \([+-]", other)


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("of", list(SaliencyOf))
def test_every_row_of_the_gradients_is_the_one_of_its_position_alone(
    session: Session, method: SaliencyMethod, of: SaliencyOf
):
    found = session.ask(ReadSaliency(REQUEST, method, of, first=-3, steps=3))
    assert [one.position for one in found.targets] == [5, 6, 7]
    for one in found.targets:
        named = Request(REQUEST.prompt, position=one.position, target_id=one.target.id)
        alone = session.ask(ReadSaliency(named, method, of, steps=3)).traced
        assert one.sources == pytest.approx(alone.sources, rel=1e-3, abs=1e-4)
        assert (one.delta is None) == (method is not SaliencyMethod.INTEGRATED_GRADIENTS)


def test_the_logits_gradient_is_captums_at_the_models_own_inputs(session: Session):
    """Without a position's embedding: GPT-2 adds it to its inputs, which is all that differs."""
    request = Request(REQUEST.prompt, metric=MetricChoice.LOGIT)
    found = session.ask(ReadSaliency(request, SaliencyMethod.INPUT_X_GRADIENT)).traced
    model = session.resident.loaded.model
    ids = torch.tensor([[token.id for token in session.resident.tokens.read(request)]])
    positions = model.transformer.wpe.weight[None, : ids.shape[1]]
    inputs = (model.transformer.wte(ids) + positions).detach().requires_grad_()
    run = lambda x: model(inputs_embeds=x - positions, use_cache=False).logits[:, -1]  # noqa: E731
    theirs = InputXGradient(run).attribute(inputs, target=found.target.id)[0].sum(-1)
    assert found.sources == pytest.approx(theirs.tolist(), abs=1e-4)


def test_a_difference_of_two_logits_is_explained(session: Session):
    request = Request(REQUEST.prompt, versus=" Paris")
    for method in (SaliencyMethod.FLOW, SaliencyMethod.GRADIENT):
        found = session.ask(ReadSaliency(request, method))
        assert found.metric is MetricKind.LOGIT_DIFFERENCE and found.versus.text == " Paris"
        assert "·Tokyo rather than ·Paris" in found.findings()[0]
    flow = session.ask(ReadSaliency(request)).traced
    assert flow.value == pytest.approx(flow.target.logit - found.versus.logit, abs=1e-4)


def test_integrated_gradients_say_their_delta_and_what_to_do_where_it_is_large(session: Session):
    method = SaliencyMethod.INTEGRATED_GRADIENTS
    coarse = session.ask(ReadSaliency(REQUEST, method, steps=3, baseline=Baseline.ZERO))
    assert (coarse.steps, coarse.baseline) == (3, Baseline.ZERO)
    assert "not to be trusted; give more steps or another baseline" in coarse.findings()[1]
    fine = session.ask(ReadSaliency(REQUEST, method, steps=64, baseline=Baseline.MEAN))
    assert "not to be trusted" not in fine.findings()[1]
    for found in (coarse, fine):
        one = found.traced
        missing = sum(one.sources) - (one.value - one.at_baseline)
        assert one.delta == pytest.approx(missing, abs=1e-3)
    assert abs(fine.traced.delta) < 0.01 < abs(coarse.traced.delta)
    assert session.ask(ReadSaliency(REQUEST)).steps is None


def test_from_the_prompts_mean_integrated_gradients_converge_on_the_bundled_model(session: Session):
    method = SaliencyMethod.INTEGRATED_GRADIENTS
    found = session.ask(ReadSaliency(REQUEST, method, baseline=Baseline.MEAN))
    assert (found.baseline, found.steps) == (Baseline.MEAN, 50)
    one = found.traced
    assert abs(one.delta) < 0.01 * abs(one.value - one.at_baseline)
    assert "the prompt's mean embedding: a convergence delta" in found.findings()[1]
    assert "not to be trusted" not in found.findings()[1]


def test_from_a_token_the_baseline_is_a_pass_of_that_token_alone(session: Session):
    method, token = SaliencyMethod.INTEGRATED_GRADIENTS, Baseline.TOKEN
    found = session.ask(ReadSaliency(REQUEST, method, baseline=token, baseline_token=" of"))
    assert found.baseline_token == " of" and "the token ·of" in found.findings()[1]
    (id_,) = (one.id for one in found.tokens[2:3])
    n = len(found.tokens)
    target = found.traced.target
    asked = Request(prompt_ids=(id_,) * n, target_id=target.id, metric=MetricChoice.LOGIT)
    logit = session.ask(ReadSaliency(asked)).traced.value
    plain = replace(REQUEST, metric=MetricChoice.LOGIT)
    found = session.ask(ReadSaliency(plain, method, baseline=token, baseline_token=" of"))
    assert found.traced.at_baseline == pytest.approx(logit, abs=1e-3)
    sources = found.traced.sources
    assert sources[2] == pytest.approx(0.0, abs=1e-6) == sources[7] and abs(sources[3]) > 0.1
    with pytest.raises(RequestError, match="baseline_token 'Tokyooo' is "):
        session.ask(ReadSaliency(REQUEST, method, baseline=token, baseline_token="Tokyooo"))


def test_integrated_gradients_of_a_probability_are_parts_of_it(session: Session):
    question = ReadSaliency(
        REQUEST, SaliencyMethod.INTEGRATED_GRADIENTS, SaliencyOf.PROBABILITY,
        steps=64, baseline=Baseline.MEAN,
    )  # fmt: skip
    found = session.ask(question)
    assert found.metric is None and found.unit == "probability"
    assert found.traced.value == found.traced.target.prob


def test_a_changed_pass_is_explained_as_it_is(session: Session):
    request = Request(REQUEST.prompt, interventions=("L2.mlp@3 zero",))
    for method in METHODS[:3]:
        plain = session.ask(ReadSaliency(REQUEST, method)).traced
        changed = session.ask(ReadSaliency(request, method)).traced
        assert changed.target.id == plain.target.id and changed.value != plain.value
        assert changed.sources != pytest.approx(plain.sources, rel=1e-3)
    flow = session.ask(ReadSaliency(request)).traced
    assert sum(flow.sources) + flow.biases == pytest.approx(flow.value, abs=1e-4)


def test_what_takes_long_is_no_look_and_tells_how_far_it_is(session: Session):
    assert ReadSaliency(REQUEST).is_look
    slow = ReadSaliency(REQUEST, SaliencyMethod.INTEGRATED_GRADIENTS, first=-2, steps=4)
    assert not slow.is_look
    session.resident.answers.clear()
    told: list[tuple[str, float]] = []
    session.ask(slow, lambda stage, part: told.append((stage, part)))
    parts = [part for stage, part in told if stage == "saliency"]
    assert parts == sorted(parts) and parts[-1] == 1.0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (lambda: ReadSaliency(REQUEST, of=SaliencyOf.PROBABILITY), "flow adds up to the metric"),
        (
            lambda: ReadSaliency(
                Request("a", versus=" b"), SaliencyMethod.GRADIENT, SaliencyOf.PROBABILITY
            ),
            "versus is ' b', but a probability is of the target alone; leave versus out",
        ),
        (
            lambda: ReadSaliency(Request("a", versus_id=3), first=0),
            "versus is 'id 3', which is against the traced position's target alone; leave first",
        ),
        (lambda: ReadSaliency(REQUEST, steps=1), "steps is 1; give 2 to 1000"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(asked, message: str):
    with pytest.raises(RequestError, match=message):
        asked()


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (6, "first is position 6, after the traced one; give 0 to 5"),
        (9, "position 9 does not exist; the prompt has 0 to 7"),
    ],
)
def test_positions_after_the_traced_one_are_refused(session: Session, first: int, message: str):
    with pytest.raises(RequestError, match=message):
        session.ask(ReadSaliency(Request(REQUEST.prompt, position=5), first=first))


def test_a_prompt_of_one_token_has_one_source(session: Session):
    alone = session.ask(ReadSaliency(Request(" Japan"), first=0))
    assert len(alone.targets) == 1 and len(alone.traced.sources) == 1
    assert "the strongest source is ·Japan at 0" in alone.findings()[0]


@pytest.mark.parametrize("method", METHODS)
def test_what_a_planted_head_copies_is_the_strongest_source(method: SaliencyMethod):
    """Its induction head takes the 7 that followed the 4; gradients are as large where it looks."""
    question = ReadSaliency(Request(planted.PROMPT), method, steps=200)
    one = Session(planted.planted()).ask(question).traced
    assert one.target.text == planted.SAYS
    is_exact = method in (SaliencyMethod.FLOW, SaliencyMethod.INTEGRATED_GRADIENTS)
    assert planted.SOURCE in one.strongest[: 1 if is_exact else 2]
