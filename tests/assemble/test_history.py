"""A document is of its request alone: what was asked before changes no byte of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from atlases import atlas_of, info
from hypothesis import example, given, settings
from hypothesis import strategies as st
from specimens import FEW, TOKEN_IDS, Numbered, specimen

from visit.assemble import Builder
from visit.formats.document import json_from_flow
from visit.graph.request import RankBy, Request
from visit.lens.projector import Projector
from visit.lens.readings import Reader

COPIES = 40
TINY = specimen("gpt2", torch.float32)
ARCHITECTURE = replace(
    TINY.architecture,
    sizes=replace(TINY.architecture.sizes, d_vocab=61 * COPIES),
    unembedding=TINY.architecture.unembedding.repeat(1, COPIES),
)
"""Every token has 39 others that are always exactly as probable: tokens 5, 66, 127 and so on."""
TRACE = replace(TINY.trace, logits=TINY.trace.logits.repeat(1, COPIES))
PROJECTOR = Projector(ARCHITECTURE)
ASKED = replace(FEW, layers="1", top_k=10)

requests = st.builds(
    Request,
    prompt=st.just("x"),
    layers=st.sampled_from(["none", "1"]),
    top_k=st.sampled_from([1, 3, 10, 11, 37]),
    threshold=st.sampled_from([0.0, 0.01, 0.2]),
    heads=st.integers(0, 5),
    sources=st.integers(0, 3),
    memories=st.integers(0, 4),
    attn_neurons=st.integers(0, 4),
    rank_by=st.sampled_from(RankBy),
    position=st.sampled_from([None, 3]),
    target=st.sampled_from([None, "<5>", "<66>", "<2000>"]),
    candidates=st.sampled_from([4, 100]),
)


def builder_with(reader: Reader) -> Builder:
    return Builder(ARCHITECTURE, Numbered(), reader, info(ARCHITECTURE))


def document(builder: Builder, request: Request) -> str:
    return json_from_flow(builder.whole(TRACE, request, lambda *_: None))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where readings of weights last from one example to the next, as they do for a user."""
    return tmp_path_factory.mktemp("atlases")


READERS: dict[str, Callable[[Path], Reader]] = {
    "in memory": lambda root: Reader(PROJECTOR, Numbered()),
    "little in memory": lambda root: Reader(PROJECTOR, Numbered(), kept_bytes=100_000),
    "on the disk": lambda root: Reader(PROJECTOR, Numbered(), atlas_of(ARCHITECTURE, root)),
}


@pytest.mark.parametrize("kept", sorted(READERS))
@settings(max_examples=5)
@given(before=st.lists(requests, min_size=1, max_size=2), request=requests)
@example(before=[replace(ASKED, top_k=37)], request=ASKED)
@example(before=[replace(ASKED, position=3)], request=replace(ASKED, layers="1", target="<66>"))
def test_a_document_does_not_depend_on_what_was_asked_before(
    kept: str, root: Path, before: list[Request], request: Request
):
    builder = builder_with(READERS[kept](root))
    for earlier in before:
        document(builder, earlier)
        builder.block(TRACE, earlier, layer=1, position=2)
    fresh = builder_with(Reader(PROJECTOR, Numbered(), kept_bytes=0))
    assert document(builder, request) == document(fresh, request)
    block = builder.block(TRACE, request, layer=2, position=3)
    assert json_from_flow(block) == json_from_flow(fresh.block(TRACE, request, 2, 3))


def test_of_equally_probable_tokens_the_first_is_explained_and_predicted():
    builder = builder_with(Reader(PROJECTOR, Numbered()))
    flow = builder.whole(TRACE, ASKED, lambda *_: None)
    best = int(TINY.trace.logits[len(TOKEN_IDS) - 1].argmax())
    assert [one.id for one in flow.predictions] == [best + 61 * copy for copy in range(10)]
    assert flow.target.id == best
    assert (flow.target.prob, flow.target.logit) == (
        flow.predictions[0].prob,
        flow.predictions[0].logit,
    )
    output = flow.nodes[-1].reading
    assert [token.id for token in output.top] == [one.id for one in flow.predictions]
    assert output.target.prob == output.top[0].prob == flow.target.prob
    assert output.target.rank == flow.target.rank == 1
