"""Memory that does not suffice: said before it is tried where it is clear, and mended if not."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from specimens import save_tiny_model

from visit.assemble import residency
from visit.errors import ModelError, RequestError
from visit.graph.request import Request
from visit.models.loading import load, memory
from visit.models.loading.memory import free_bytes, is_out_of_memory
from visit.session import Session
from visit.text import size

PROMPT = "The capital of Japan is"
EXHAUSTED = {
    "the CPU": lambda: torch.empty(1 << 60),
    "CUDA": lambda: _raise(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")),
    "MPS": lambda: _raise(RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)")),
    "Python": lambda: _raise(MemoryError()),
}


def _raise(error: Exception) -> None:
    raise error


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("exhaust", EXHAUSTED.values(), ids=list(EXHAUSTED))
def test_every_way_that_memory_runs_out_is_known(exhaust: Callable[[], object]):
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        exhaust()
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shape '[30]' is invalid for input of size 15"))


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (3_420_000, "3.42 MB"),
     (13_480_000_000, "13.5 GB"), (999_900_000, "1 GB"), (2_500_000_000_000, "2.5 TB")],
)  # fmt: skip
def test_sizes_are_said_in_words(n_bytes: int, words: str):
    assert size(n_bytes) == words


def test_what_is_free_is_what_the_container_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    machine = free_bytes(torch.device("cpu"))
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert free_bytes(torch.device("cpu")) == pytest.approx(machine, rel=0.5)
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 500000\ninactive_file 200000\n")
    assert free_bytes(torch.device("cpu")) == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(torch.device("cpu")) > 1_000_000


def test_a_model_that_cannot_fit_is_refused_before_it_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("visit.models.loading.loader.free_bytes", lambda _: 50_000)
    monkeypatch.setattr(
        "visit.models.loading.loader.model_at", lambda *_: pytest.fail("it was loaded")
    )
    for dtype, said in (
        ("float32", r"115 kB for its weights in float32, .* --dtype bfloat16 \(57.3 kB\), --dev"),
        ("bfloat16", "weights in bfloat16, and cpu has 50 kB left; give --device-map auto, or a"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=said):
            load(str(folder), dtype=dtype)


@pytest.mark.parametrize("exhaust", EXHAUSTED.values(), ids=list(EXHAUSTED))
def test_memory_that_runs_out_while_loading_leaves_the_resident_model(
    folder: Path, exhaust: Callable[[], object], monkeypatch: pytest.MonkeyPatch
):
    session = Session.load(str(folder))
    expected = session.explain(Request(PROMPT))
    with monkeypatch.context() as patch:
        patch.setattr(
            "transformers.AutoModelForCausalLM.from_pretrained", lambda *_, **__: exhaust()
        )
        with pytest.raises(
            ModelError, match=r"'mini' needs about .* give --dtype bfloat16"
        ) as caught:
            session.explain(Request(PROMPT, model="mini"))
        assert "\n" not in str(caught.value)
    assert session.explain(Request(PROMPT)) == expected


@pytest.mark.parametrize("stage", ["forward", "ledgers", "readings"])
def test_memory_that_runs_out_in_a_request_is_said_and_the_session_goes_on(
    folder: Path, stage: str
):
    session = Session.load(str(folder))
    expected = session.explain(Request("of of"))

    def tell(told: str, _: float) -> None:
        if told == stage:
            EXHAUSTED["the CPU"]()

    message = r"memory ran out: \d+ tokens need about .*B beside the model, .* shorten the prompt"
    with pytest.raises(RequestError, match=message) as caught:
        session.explain(Request(PROMPT), tell)
    assert "\n" not in str(caught.value)
    assert session.explain(Request(PROMPT)).nodes
    assert session.explain(Request("of of")) == expected


def test_what_a_failed_request_held_is_given_back(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Even while the error that it ended in is still at hand."""
    session, held = Session.load(str(folder)), []
    record = residency.record

    def exhausting(*given: Any, **named: Any) -> None:
        trace = record(*given, **named)
        held.append(weakref.ref(trace.logits))
        torch.empty(1 << 60)

    monkeypatch.setattr(residency, "record", exhausting)
    with pytest.raises(RequestError):
        session.explain(Request(PROMPT))
    assert held[0]() is None
