"""Continuations of real prompts: transformers' own, given, gone on from, explained by steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from specimens import save_tiny_model
from vocabularies import chatty

from visit.assemble.answers import answer
from visit.engine.generating import Generate, text_of_stage
from visit.errors import Cancelled, RequestError
from visit.graph.flow import FlowGraph
from visit.graph.generation import Ending, Generation
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("Once upon a time", layers="none")
ENDS = replace(REQUEST, prompt="The capital of Japan is the city of")


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini", dtype="float64")


@pytest.fixture(scope="module")
def own(session: Session) -> Generation:
    return session.ask(Generate(REQUEST, 8))


def ids(generation: Generation) -> list[int]:
    return [step.id for step in generation.steps]


def test_a_continuation_is_transformers_own(session: Session, own: Generation):
    model = session.resident.loaded.model
    prompt = torch.tensor([[token.id for token in own.tokens]])
    made = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False,
        pad_token_id=0,
    )  # fmt: skip
    assert list(own.ids) == made[0].tolist()
    assert own.steps[0].text == " there" and own.ending is Ending.COUNT
    assert not any(step.given for step in own.steps)


def test_a_text_that_the_model_ends_is_no_longer(session: Session):
    ended = session.ask(Generate(ENDS, 8))
    assert [step.text for step in ended.steps] == [" Tokyo", ".", "<|endoftext|>"]
    assert ended.ending is Ending.EOS


def test_a_given_continuation_is_the_same_whether_it_is_typed_or_given_by_ids(
    session: Session, own: Generation
):
    text = "".join(step.text for step in own.steps)
    typed = session.ask(Generate(REQUEST, 0, given=text))
    by_id = session.ask(Generate(REQUEST, 0, given_ids=tuple(ids(own))))
    assert typed.steps == by_id.steps and ids(typed) == ids(own)
    assert all(step.given for step in typed.steps)
    for step, again in zip(own.steps, typed.steps, strict=True):
        assert again.prob == pytest.approx(step.prob, rel=1e-4) and again.rank == step.rank


def test_going_on_from_another_token_is_a_fresh_continuation_of_that_prefix(
    session: Session, own: Generation
):
    other = own.steps[1].others[2].id
    branch = session.ask(Generate(REQUEST, 5, given_ids=(own.steps[0].id, other)))
    prefix = (*(token.id for token in own.tokens), own.steps[0].id, other)
    fresh = session.ask(Generate(replace(REQUEST, prompt="", prompt_ids=prefix), 5))
    assert ids(branch)[2:] == ids(fresh)
    assert [step.given for step in branch.steps] == [True, True, *[False] * 5]
    assert branch.steps[1].prob == pytest.approx(own.steps[1].others[2].prob, rel=1e-4)


def test_the_trace_at_each_step_is_a_fresh_trace_of_that_prefix(session: Session, own: Generation):
    for at, step in enumerate(own.steps):
        shown = session.explain(own.request_at(at))
        prefix = own.ids[: len(own.tokens) + at]
        fresh = session.explain(replace(REQUEST, prompt="", prompt_ids=prefix, target_id=step.id))
        assert shown.position == fresh.position == len(prefix) - 1
        assert shown.target.text == step.text and shown.target.rank == step.rank
        assert_same(shown, fresh)


def assert_same(shown: FlowGraph, fresh: FlowGraph) -> None:
    """The same prediction, explained by the same parts with the same flows."""
    for one, other in zip(shown.predictions, fresh.predictions, strict=True):
        assert one.id == other.id and one.prob == pytest.approx(other.prob, rel=1e-9)
    assert shown.metric.value == pytest.approx(fresh.metric.value, rel=1e-9)
    flows = [{str(n.id): n.flow for n in flow.nodes if n.flow} for flow in (shown, fresh)]
    assert flows[0].keys() == flows[1].keys()
    assert [*flows[0].values()] == pytest.approx([*flows[1].values()], rel=1e-8, abs=1e-10)


def test_one_pass_serves_every_step(own: Generation):
    session = Session.load("mini")
    for at in range(len(own.steps)):
        session.explain(own.request_at(at))
    assert list(session.resident.traces) == [(own.ids,)]


def test_a_stage_says_the_text_so_far_and_what_it_raises_ends_it(session: Session, own: Generation):
    said: list[str | None] = []

    def tell(stage: str, part: float) -> None:
        said.append(text_of_stage(stage))
        if part >= 0.5:
            raise Cancelled("no longer wanted")

    with pytest.raises(Cancelled):
        answer(Generate(REQUEST, 8), session.resident, tell)
    assert said[0] == "" and said[-1] == "".join(step.text for step in own.steps[:4])
    assert text_of_stage("forward") is None and text_of_stage("writings") is None


def test_a_chat_goes_on_with_what_is_given(tmp_path: Path):
    folder = save_tiny_model(tmp_path, chatty("chatml"), n_positions=64)
    session = Session.load(str(folder))
    found = session.ask(Generate(Request("Hello", chat=True), 3, given="The city"))
    assert "".join(step.text for step in found.steps if step.given) == "The city"
    assert len(found.steps) > 3 or found.ending is Ending.EOS
    assert session.explain(found.request_at(-1)).target.id == found.steps[-1].id


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (lambda: Generate(REQUEST, 0), "count is 0 and no continuation is given"),
        (lambda: Generate(REQUEST, given=" a", given_ids=(1,)), "given and given_ids are both"),
        (lambda: Generate(REQUEST, temperature=-1.0), "temperature is -1.0; give a number from 0"),
        (lambda: Generate(REQUEST, temperature=1e-9), "temperature is 1e-09; give 0, which takes"),
        (lambda: Generate(REQUEST, top_p=0.0), "top_p is 0.0; give a number above 0, 1 at most"),
        (lambda: Generate(REQUEST, seed=-1), "seed is -1; give a whole number from 0 to"),
        (
            lambda: Generate(replace(REQUEST, interventions=("L1.head0@7 zero",))),
            "the pass is changed at L1.head0@7, but text is generated by the plain model",
        ),
        (lambda: Generate(REQUEST, 500), "would be 50[0-9] tokens long; mini reads .* at most"),
        (lambda: Generate(REQUEST, 1, given_ids=(10**6,)), "the model knows ids 0 to"),
        (lambda: Generate(REQUEST, 1, given="\ud800"), "half a surrogate pair"),
    ],
)  # fmt: skip
def test_what_cannot_be_gone_on_from_is_refused_in_one_line(session, question, said):
    with pytest.raises(RequestError, match=said) as caught:
        session.ask(question())
    assert "\n" not in str(caught.value)
