"""Any question over many prompts: fields of its answer as columns."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from visit.engine.progress import Progress
from visit.engine.protocol import ModelChoice
from visit.engine.questions import Explain, Question
from visit.errors import RequestError
from visit.graph.request import Request
from visit.session import Session
from visit.studies import Prompt
from visit.studies.of_question import OfQuestion, askable, value_at

TEXTS = ("The capital of Japan is the city of", "The capital of France is the city of", "")


class Answering:
    """An engine with these answers, one after another."""

    def __init__(self, *answers: object) -> None:
        self._answers = iter(answers)

    def models(self) -> tuple[ModelChoice, ...]:
        return ()

    def ask(self, question: Question[Any], progress: Progress | None = None) -> Any:
        return next(self._answers)

    def submit(
        self, question: Question[Any], progress: Progress | None = None, *, asker: object = None
    ) -> Future[Any]:
        raise NotImplementedError


PROMPTS = [Prompt(at, at + 1, text) for at, text in enumerate(TEXTS)]


def test_its_columns_are_the_answers_own_fields():
    session = Session.load("mini")
    study = OfQuestion(fields="target.prob, target.text,predictions.1.logit,target.rank")
    found = study.measure(session, PROMPTS, {})
    assert found.places == (0, 1)
    assert [one.place for one in found.failed] == [2] and "empty" in found.failed[0].reason
    flows = [session.ask(Explain(Request(text))) for text in TEXTS[:2]]
    assert found.values["target.text"].tolist() == [flow.target.text for flow in flows]
    for path, of in (
        ("target.prob", lambda flow: flow.target.prob),
        ("predictions.1.logit", lambda flow: flow.predictions[1].logit),
        ("target.rank", lambda flow: flow.target.rank),
    ):
        assert found.values[path].tolist() == [of(flow) for flow in flows]


def test_a_question_that_needs_more_than_a_prompt_is_refused():
    assert "Explain" in askable() and "OpenBlock" not in askable()
    with pytest.raises(
        RequestError, match=r"OpenBlock needs more than a prompt \(layer, position\)"
    ):
        OfQuestion(question="OpenBlock")
    with pytest.raises(RequestError, match="no question 'Explode'; give one of"):
        OfQuestion(question="Explode")
    with pytest.raises(RequestError, match="no field is given"):
        OfQuestion(fields=" , ")


def test_a_path_that_leads_nowhere_says_what_there_is():
    answer = SimpleNamespace(target=SimpleNamespace(prob=0.5), rows=(1.0, 2.0), by={"a": "x"})
    assert value_at(answer, "target.prob") == 0.5
    assert value_at(answer, "rows") == [1.0, 2.0]
    assert value_at(answer, "by.a") == "x"
    for path, says in (
        ("target.probability", "no 'probability' in a SimpleNamespace; it has prob"),
        ("rows.2", "it has 0 to 1"),
        ("by.b", "it has a"),
        ("target", "'target' is a SimpleNamespace; give a number"),
    ):
        with pytest.raises(RequestError, match=says):
            value_at(answer, path)


def test_private_fields_are_not_reached():
    with pytest.raises(RequestError):
        value_at(SimpleNamespace(_secret=1), "_secret")


def test_lists_of_other_lengths_are_refused():
    engine = Answering(SimpleNamespace(rows=(1.0,)), SimpleNamespace(rows=(1.0, 2.0)))
    with pytest.raises(RequestError, match="other lengths for other prompts"):
        OfQuestion(fields="rows").measure(engine, PROMPTS[:2], {})


def test_what_one_prompt_lacks_is_nan():
    engine = Answering(SimpleNamespace(x=None), SimpleNamespace(x=2.0))
    found = OfQuestion(fields="x").measure(engine, PROMPTS[:2], {})
    assert np.isnan(found.values["x"][0]) and found.values["x"][1] == 2.0
