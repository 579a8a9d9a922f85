"""Packed weights: the model runs on them, the ledgers on what they unpack to, and both are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from specimens import MAKERS, TOKEN_IDS, save_tiny_model

from visit.errors import ModelError
from visit.formats.records import data_from_flow, flow_from_data
from visit.formats.summary import text_from_flow
from visit.graph.flow import FlowGraph
from visit.graph.request import Request
from visit.models.architectures import lay_open
from visit.models.loading import load
from visit.session import Session
from visit.tracing.trace import record

pytest.importorskip("bitsandbytes")  # not there where transformers is the oldest

PROMPT = "The capital of Japan is the city of"


@pytest.fixture(scope="module", params=["8bit", "4bit"])
def flow(request: pytest.FixtureRequest) -> FlowGraph:
    return Session.load("mini", quant=request.param).explain(Request(PROMPT))


@pytest.fixture(scope="module")
def plain() -> FlowGraph:
    return Session.load("mini").explain(Request(PROMPT))


def test_the_document_says_what_the_weights_were_packed_in(flow: FlowGraph):
    assert flow.model.dtype == "float32"
    assert flow.model.quantized in ("int8", "nf4")
    data = json.loads(json.dumps(data_from_flow(flow)))
    assert data["graph"]["model"]["quantized"] == flow.model.quantized
    assert flow_from_data(data) == flow
    audit = f"audit, on weights unpacked from {flow.model.quantized}"
    assert audit in text_from_flow(flow).splitlines()


def test_a_plain_document_says_nothing_of_packing(plain: FlowGraph):
    assert "quantized" not in data_from_flow(plain)["graph"]["model"]


def test_it_still_predicts_what_the_plain_model_does(flow: FlowGraph, plain: FlowGraph):
    assert flow.target.text == plain.target.text == " Tokyo"
    assert flow.target.logit == pytest.approx(plain.target.logit, rel=0.02)
    assert flow.target.logit != plain.target.logit
    assert flow.model.weights_sha256 == plain.model.weights_sha256


def test_the_audit_tells_packed_weights_from_packed_inputs(flow: FlowGraph):
    """4 bits pack the weights alone; 8 bits round what is multiplied with them as well."""
    assert flow.audit.logit < 1e-4
    if flow.model.quantized == "nf4":
        assert flow.audit.residual < 1e-5
    else:
        assert 1e-3 < flow.audit.residual < 0.05


def test_a_request_is_answered_alike_however_often_it_is_made():
    """bitsandbytes may repack weights when they are first used; the ledgers must not notice."""
    session = Session.load("mini", quant="4bit")
    first = session.explain(Request(PROMPT))
    session.resident.traces.clear()
    assert session.explain(Request(PROMPT)) == first


@pytest.mark.parametrize(
    ("name", "quant"),
    [
        ("gpt2-square", "8bit"),
        ("gpt2-square", "4bit"),
        ("llama-gqa", "8bit"),
        ("gpt-neox-parallel", "8bit"),
        ("phi3", "8bit"),
    ],
)
def test_unpacked_weights_are_the_models_own_nearly(name: str, quant: str, tmp_path: Path):
    """GPT-2's weights lie the other way round, and its square ones look alike both ways."""
    torch.manual_seed(0)
    model = MAKERS[name]().eval()
    model.save_pretrained(tmp_path)
    own = lay_open(model)
    save_tiny_tokenizer(tmp_path)
    packed = load(str(tmp_path), quant=quant)
    for mine, theirs in zip(packed.architecture.blocks, own.blocks, strict=True):
        for weight, expected in (
            (mine.attention.w_q, theirs.attention.w_q),
            (mine.attention.w_k, theirs.attention.w_k),
            (mine.attention.w_v, theirs.attention.w_v),
            (mine.attention.w_o, theirs.attention.w_o),
            (mine.mlp.w_in, theirs.mlp.w_in),
            (mine.mlp.w_out, theirs.mlp.w_out),
        ):
            error = (weight - expected).norm() / expected.norm()
            assert 0 < error < (0.02 if quant == "8bit" else 0.5)
    trace = record(packed.model, packed.architecture, TOKEN_IDS)
    assert trace.logits.isfinite().all()


def save_tiny_tokenizer(folder: Path) -> None:
    """Some tokenizer, so that the folder can be loaded."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({f"w{i}": i for i in range(61)}, unk_token="w0"))
    PreTrainedTokenizerFast(tokenizer_object=backend).save_pretrained(folder)


def test_double_precision_is_refused():
    with pytest.raises(ModelError, match="--quant 8bit computes in float32 at most; leave out"):
        load("mini", quant="8bit", dtype="float64")


def test_a_packing_that_is_not_offered_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="quant '2bit' is not offered; give 8bit, 4bit"):
        load(str(save_tiny_model(tmp_path)), quant="2bit")
