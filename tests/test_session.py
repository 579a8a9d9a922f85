"""The session: one model, traces kept, every bad request refused with one clear line."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from models import save_tiny_model

from visit import session as session_module
from visit.errors import Cancelled, ModelError, RequestError
from visit.flow import FlowGraph, Request
from visit.session import MAX_TRACES, Session

PROMPT = "The capital of Japan is"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def session(folder: Path) -> Session:
    return Session.load(str(folder))


@pytest.fixture
def n_forwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted, record = [], session_module.record

    def counting(*args: object, **options: object) -> object:
        counted.append(1)
        return record(*args, **options)

    monkeypatch.setattr(session_module, "record", counting)
    return counted


def test_a_request_is_answered_in_plain_types(session: Session, folder: Path):
    flow = session.explain(Request(PROMPT))
    assert isinstance(flow, FlowGraph)
    assert "".join(token.text for token in flow.tokens) == PROMPT
    assert flow.request.model == flow.model.name == str(folder)
    assert flow.created is None
    assert len(flow.model.weights_sha256) == 64
    assert flow.audit.residual < 1e-5


def test_the_same_request_has_the_same_answer(session: Session):
    assert session.explain(Request(PROMPT)) == session.explain(Request(PROMPT))


def test_a_traced_prompt_is_not_run_again(session: Session, n_forwards: list[int]):
    flow = session.explain(Request(PROMPT))
    other = flow.predictions[3].text
    session.explain(Request(PROMPT, target=other, position=2, threshold=0.2, layers="none"))
    session.open(1, 3)
    assert len(n_forwards) == 1


def test_only_the_latest_traces_are_kept(session: Session, n_forwards: list[int]):
    for count in range(MAX_TRACES + 1):
        session.explain(Request("of " * (count + 1), layers="none"))
    session.explain(Request("of ", layers="none"))
    assert len(n_forwards) == MAX_TRACES + 2


def test_open_serves_the_last_request_or_a_given_one(session: Session):
    flow = session.explain(Request(PROMPT))
    assert session.open(0, 1) == session.open(0, 1, flow.request)
    assert session.open(0, -1).nodes


def test_open_before_explain_is_refused(session: Session):
    with pytest.raises(RequestError, match="nothing has been explained yet; call explain first"):
        session.open(0, 0)


def test_a_prompt_longer_than_the_context_says_what_is_given_and_allowed(session: Session):
    with pytest.raises(RequestError, match=r"is 24 tokens long; .* reads 23 at most; shorten it"):
        session.explain(Request("z" * 24))


def test_an_empty_prompt_is_refused():
    with pytest.raises(RequestError, match="the prompt is empty"):
        Request("")


def test_a_cancelled_request_leaves_the_session_whole(session: Session):
    def cancel(stage: str, fraction: float) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        session.explain(Request(PROMPT), progress=cancel)
    assert session.explain(Request(PROMPT)).audit.residual < 1e-5


def test_progress_names_its_stages_and_never_leaves_0_to_1(session: Session):
    heard: list[tuple[str, float]] = []
    session.explain(Request(PROMPT), progress=lambda *told: heard.append(told))
    stages = list(dict.fromkeys(stage for stage, _ in heard))
    assert stages == ["forward", "ledgers", "readings", "done"]
    assert all(0 <= fraction <= 1 for _, fraction in heard)


def test_an_unknown_model_leaves_the_resident_one_in_place(session: Session):
    with pytest.raises(ModelError):
        session.explain(Request(PROMPT, model="nobody/nothing"))
    assert session.explain(Request(PROMPT)).nodes


def test_another_model_is_loaded_in_place_of_the_resident_one(session: Session, tmp_path: Path):
    other = str(save_tiny_model(tmp_path / "other"))
    assert session.explain(Request(PROMPT, model=other)).model.name == other
    assert session.models()[0].name == other


def test_requests_from_several_threads_get_their_own_answers(session: Session):
    prompts = ["The capital", "of France Paris", "Japan is the city", "of of of"]
    answers: dict[str, FlowGraph] = {}

    def ask(prompt: str) -> None:
        answers[prompt] = session.explain(Request(prompt, layers="none"))

    threads = [threading.Thread(target=ask, args=(prompt,)) for prompt in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for prompt in prompts:
        assert "".join(token.text for token in answers[prompt].tokens) == prompt
        alone = session.explain(replace(answers[prompt].request))
        assert alone == answers[prompt]
