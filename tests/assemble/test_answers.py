"""Every question has its answer, of the type it names; a new one needs nothing but itself."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from typing import Any, get_args

import pytest
from beartype.door import is_bearable
from specimens import save_tiny_model

from visit.assemble.answers import answer
from visit.assemble.residency import Resident
from visit.engine.progress import Progress
from visit.engine.question_data import (
    data_from_question,
    kinds_of_question,
    question_from_data,
)
from visit.engine.questions import (
    DrawParts,
    Explain,
    OpenBlock,
    Question,
    ReadLens,
    ReadPattern,
)
from visit.errors import Cancelled, RequestError
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is", layers="none")


@dataclass(frozen=True)
class CountTokens(Question[int]):
    """A question that the package does not have: how often a token is in the prompt."""

    token_id: int


@answer.register
def count_tokens(question: CountTokens, resident: Resident, tell: Progress) -> int:
    tell("counting", 0.5)
    return resident.trace(question.request, tell).token_ids.count(question.token_id)


@dataclass(frozen=True)
class Unanswered(Question[str]):
    """A question without a handler."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session.load(str(save_tiny_model(tmp_path_factory.mktemp("tiny"))))


def test_a_new_question_goes_through_json_and_queue_and_can_be_cancelled(session: Session):
    _, *ids = (token.id for token in session.explain(REQUEST).tokens)
    asked = json.loads(json.dumps(data_from_question(CountTokens(REQUEST, ids[0]))))
    question, began, go_on = question_from_data(asked), threading.Event(), threading.Event()
    another, third = (replace(question, token_id=id_) for id_ in ids[1:3])  # no answer is kept
    heard: list[str] = []
    answers: list[int] = []

    def hold(stage: str, part: float) -> None:
        began.set()
        assert go_on.wait(10)

    def let_go(stage: str, part: float) -> None:
        heard.append(stage)
        go_on.set()

    def cancel(stage: str, part: float) -> None:
        raise Cancelled(f"stopped at {stage}")

    holder = threading.Thread(target=lambda: answers.append(session.ask(question, hold)))
    holder.start()
    assert began.wait(10)
    with pytest.raises(Cancelled, match="stopped at waiting, 1 ahead"):
        session.ask(question, cancel)
    answers.append(session.ask(another, let_go))
    holder.join(10)
    assert answers == [1, 1]
    assert set(heard) == {"waiting, 1 ahead", "counting"}
    with pytest.raises(Cancelled, match="stopped at counting"):
        session.ask(third, cancel)
    assert session.ask(third) == 1


def test_a_question_that_nobody_answers_is_refused(session: Session):
    with pytest.raises(RequestError, match="nothing here answers the question Unanswered"):
        session.ask(Unanswered(REQUEST))


def test_every_question_of_the_package_has_its_own_answer():
    own = [k for k in kinds_of_question().values() if k.__module__.startswith("visit.")]
    assert own
    for kind in own:
        assert answer.dispatch(kind) is not answer.dispatch(Question), kind


@pytest.mark.parametrize(
    "question",
    [
        Explain(REQUEST),
        OpenBlock(REQUEST, 1, -1),
        DrawParts(REQUEST, ("L1.mlp@2",)),
        ReadLens(REQUEST, (0, -1)),
        ReadPattern(REQUEST, 1, 2),
        CountTokens(REQUEST, 3),
    ],
    ids=lambda question: type(question).__name__,
)
def test_an_answer_is_of_the_type_that_its_question_names(
    session: Session, question: Question[Any]
):
    (named,) = get_args(type(question).__orig_bases__[0])
    assert is_bearable(session.ask(question), named)


def test_the_short_ways_ask_the_same(session: Session):
    assert session.explain(REQUEST) == session.ask(Explain(REQUEST))
    assert session.open(REQUEST, 1, 2) == session.ask(OpenBlock(REQUEST, 1, 2))
    assert session.lens(REQUEST, [2, 0]) == session.ask(ReadLens(REQUEST, (2, 0)))
    assert session.pattern(REQUEST, 1, 2) == session.ask(ReadPattern(REQUEST, 1, 2))
