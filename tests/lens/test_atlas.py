"""The atlas against every row read by itself, and its searches against looking through them all."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from atlases import atlas_of
from specimens import MAKERS, logits_of, specimen

from visit.errors import Cancelled, RequestError
from visit.graph.flow import NodeId, NodeKind
from visit.graph.request import Request
from visit.lens.atlas import KINDS, Atlas, RowId, is_static
from visit.lens.atlas.build import TOP_K
from visit.lens.atlas.logit_spread import Gram
from visit.models.architectures import lay_open
from visit.models.architectures.base import Experts
from visit.models.rows import parts, vector, vectors
from visit.session import Session

FAMILIES = ["gpt2", "gpt-j", "gemma2", "llama-gqa", "granite"]
"""A norm with a bias; one on the logits; a soft-cap; neither; a scale of the logits."""


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("atlases")


@pytest.fixture
def atlas(family: str, root: Path) -> Atlas:
    built = atlas_of(specimen(family).architecture, root / family)
    built.build()
    return built


@cache
def every_row(family: str) -> tuple[list[RowId], torch.Tensor]:
    """All rows of a tiny model, and their logits, one row at a time."""
    architecture = specimen(family).architecture
    row_ids = [
        RowId(kind, layer, index, sign)
        for layer, kind, sign in parts(architecture)
        for index in range(len(vectors(architecture, kind, layer)))
    ]
    logits = [
        logits_of(architecture, architecture.final_norm(vector(architecture, row)))
        for row in row_ids
    ]
    return row_ids, torch.stack(logits)


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("L23.memory1508", RowId(NodeKind.MEMORY_VALUE, 23, 1508)),
        ("-L0.memory7.key", RowId(NodeKind.MEMORY_KEY, 0, 7, -1)),
        ("L3.attn_neuron17", RowId(NodeKind.ATTN_NEURON, 3, 17)),
        ("-L3.attn_neuron0", RowId(NodeKind.ATTN_NEURON, 3, 0, -1)),
        ("L3.attn_bias", RowId(NodeKind.ATTN_BIAS, 3)),
        ("L11.mlp_bias", RowId(NodeKind.MLP_BIAS, 11)),
    ],
)
def test_a_rows_name_is_what_users_type_and_parses_back(name: str, row: RowId):
    assert str(row) == name
    assert RowId.parse(name) == row


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("+L2.memory5", "L2.memory5"),
        ("−L2.memory5", "-L2.memory5"),
        ("L2.memory5.value", "L2.memory5"),
        (str(NodeId(NodeKind.MEMORY_KEY, 7, 2, index=5)), "L2.memory5.key"),
        (str(NodeId(NodeKind.MEMORY_VALUE, 7, 2, index=5)), "L2.memory5"),
        (str(NodeId(NodeKind.ATTN_NEURON, 7, 2, index=5)), "L2.attn_neuron5"),
        (str(NodeId(NodeKind.MLP_BIAS, 7, 2)), "L2.mlp_bias"),
    ],
)
def test_a_nodes_id_names_its_row_too(text: str, name: str):
    assert str(RowId.parse(text)) == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("memory5", "'memory5' names no row; give one like L3.memory150, "),
        ("L2.head5", "'L2.head5' names no row; "),
        ("L2.memory", "'L2.memory' names no row; "),
        ("--L2.memory5", "'--L2.memory5' names no row; "),
        ("-L2.attn_bias", "'-L2.attn_bias' is a bias, which has no opposite; leave the - out"),
    ],
)
def test_what_names_no_row_is_refused_in_one_line(text: str, said: str):
    with pytest.raises(RequestError) as error:
        RowId.parse(text)
    assert str(error.value).startswith(said) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("L3.memory1", "there is no row L3.memory1; the layers are 0 to 2"),
        ("L2.memory41", "there is no row L2.memory41; the last is 40"),
        ("L2.attn_neuron48", "there is no row L2.attn_neuron48; the last is 47"),
        ("L2.mlp_bias", "there is no row L2.mlp_bias; layer 2 has none like it"),
    ],
)
def test_a_row_that_the_model_has_not_is_refused(name: str, said: str):
    with pytest.raises(RequestError) as error:
        vector(specimen("llama-gqa").architecture, RowId.parse(name))
    assert str(error.value) == said


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_rows_are_static_exactly_where_nothing_stands_between_them_and_the_residual(name: str):
    example = specimen(name)
    for layer, recorded in enumerate(example.trace.layers):
        for kind, gain in (
            (NodeKind.ATTN_NEURON, recorded.attn_gain),
            (NodeKind.ATTN_BIAS, recorded.attn_gain),
            (NodeKind.MEMORY_VALUE, recorded.mlp_gain),
            (NodeKind.MLP_BIAS, recorded.mlp_gain),
            (NodeKind.MEMORY_KEY, None),
        ):
            assert is_static(example.architecture, kind, layer) is (gain is None)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_rows_weighed_by_their_coefficients_are_what_is_written(name: str):
    """So the rows are the model's own, in its own order."""
    example = specimen(name)
    architecture = example.architecture
    for layer, recorded in enumerate(example.trace.layers):
        values, keys, neurons, attn_bias, mlp_bias = (
            vectors(architecture, kind, layer)
            for kind in (
                NodeKind.MEMORY_VALUE, NodeKind.MEMORY_KEY, NodeKind.ATTN_NEURON,
                NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS,
            )
        )  # fmt: skip
        attn = recorded.z.flatten(1) @ neurons + attn_bias.sum(0)
        attn = attn if recorded.attn_gain is None else attn * recorded.attn_gain
        torch.testing.assert_close(attn, recorded.attn_out, rtol=1e-9, atol=1e-9)
        mlp = architecture.blocks[layer].mlp
        if isinstance(mlp, Experts):
            assert len(values) == len(keys) == len(mlp_bias) == 0
            continue
        written = recorded.activation @ values + mlp_bias.sum(0)
        written = written if recorded.mlp_gain is None else written * recorded.mlp_gain
        torch.testing.assert_close(written, recorded.mlp_out, rtol=1e-9, atol=1e-9)
        assert torch.equal(keys, mlp.w_in.T)


# ---------------------------------------------------------------- readings


def test_a_whole_atlas_holds_what_each_row_says(atlas: Atlas, family: str):
    row_ids, logits = every_row(family)
    architecture = specimen(family).architecture
    log_probs = logits.log_softmax(-1)
    probs = log_probs.exp()
    for at, row in enumerate(row_ids):
        held = {name: atlas._files.at(row, name) for name in (
            "top_ids", "top_logits", "bottom_ids", "bottom_logits", "log_total", "entropy", "scale",
        )}  # fmt: skip
        top, bottom = logits[at].topk(TOP_K), logits[at].topk(TOP_K, largest=False)
        assert held["top_ids"].tolist() == top.indices.tolist()
        assert held["bottom_ids"].tolist() == bottom.indices.tolist()
        normed = architecture.final_norm.scale(vector(architecture, row))
        for name, value in (
            ("top_logits", top.values),
            ("bottom_logits", bottom.values),
            ("log_total", logits[at].logsumexp(-1) - logits[at].max()),
            ("entropy", -(probs[at] * log_probs[at]).sum() / math.log(2)),
            ("scale", normed[0]),
        ):
            torch.testing.assert_close(held[name], value.to(held[name]), rtol=1e-9, atol=1e-12)


def test_the_spread_is_the_standard_deviation_of_the_logits(family: str):
    architecture = replace(specimen(family).architecture, soft_cap=None)
    normed = architecture.final_norm(torch.randn(9, architecture.sizes.d_model).double())
    torch.testing.assert_close(
        Gram.of(architecture).spread(normed),
        logits_of(architecture, normed).std(-1, correction=0),
        rtol=1e-10,
        atol=1e-12,
    )


# ---------------------------------------------------------------- searches


@pytest.mark.parametrize("token_id", [0, 17, 60])
def test_a_search_finds_what_looking_through_all_rows_finds(
    atlas: Atlas, family: str, token_id: int
):
    row_ids, logits = every_row(family)
    log_probs = logits.log_softmax(-1)[:, token_id]
    for found, order in zip(
        atlas.search(f"<{token_id}>", count=7),
        (log_probs.argsort(descending=True), logits[:, token_id].argsort()),
        strict=True,
    ):
        assert [one.row for one in found] == [row_ids[at] for at in order[:7]]
        for one, at in zip(found, order, strict=False):
            target = one.reading.target
            assert target.prob == pytest.approx(float(log_probs[at].exp()), rel=1e-9)
            assert target.logit == pytest.approx(float(logits[at, token_id]), rel=1e-9)
            assert target.rank == 1 + int((logits[at] > logits[at, token_id]).sum())
            assert [t.id for t in one.reading.top] == logits[at].topk(TOP_K).indices.tolist()
            assert one.reading.top[0].text == f"<{one.reading.top[0].id}>"
            norm = vector(specimen(family).architecture, one.row).norm()
            assert one.reading.norm == pytest.approx(float(norm))


@pytest.mark.parametrize("name", ["L1.memory5", "-L2.memory40.key", "L0.attn_neuron3"])
def test_the_like_of_a_row_correlate_most_with_it_over_the_vocabulary(
    atlas: Atlas, family: str, name: str
):
    row_ids, logits = every_row(family)
    architecture = specimen(family).architecture
    if architecture.soft_cap is not None:
        logits = architecture.soft_cap * torch.atanh(logits / architecture.soft_cap)
    asked = RowId.parse(name)
    correlations = torch.corrcoef(logits)[row_ids.index(asked)]
    order = [at for at in correlations.argsort(descending=True) if row_ids[at] != asked][:6]
    found = atlas.like(name, count=6)
    assert [one.row for one in found] == [row_ids[at] for at in order]
    for one, at in zip(found, order, strict=True):
        assert one.correlation == pytest.approx(float(correlations[at]), abs=1e-9)
    said_first = int(logits[row_ids.index(asked)].argmax())
    target = found[0].reading.target
    assert target.rank == 1 + int((logits[order[0]] > logits[order[0], said_first]).sum())


@pytest.mark.parametrize("family", ["gpt2", "llama-gqa", "granite"])
def test_single_precision_weights_are_searched_to_more_digits_than_are_shown(
    family: str, tmp_path: Path
):
    """Neighbours stand in the order of correlations taken in double precision."""
    architecture = specimen(family, torch.float32).architecture
    # A common part of all columns, as trained models have, costs a float32 sum most of its digits.
    unembedding = architecture.unembedding + 300.0
    atlas = atlas_of(replace(architecture, unembedding=unembedding), tmp_path)
    atlas.build()
    row_ids, _ = every_row(family)
    rows = torch.stack([vector(architecture, row) for row in row_ids]).double()
    logits = architecture.final_norm(rows) @ unembedding.double() * architecture.logit_scale
    if architecture.unembedding_bias is not None:
        logits = logits + architecture.unembedding_bias
    correlations = torch.corrcoef(logits)[row_ids.index(RowId.parse("L1.memory5"))]
    found = atlas.like("L1.memory5", count=40)
    order = [
        at
        for at in correlations.argsort(descending=True)
        if row_ids[at] != RowId.parse("L1.memory5")
    ]
    assert [one.row for one in found] == [row_ids[at] for at in order[:40]]
    for one, at in zip(found, order, strict=False):
        assert one.correlation == pytest.approx(float(correlations[at]), abs=1e-9)
    log_probs = logits.log_softmax(-1)[:, 9]
    promote, suppress = atlas.search("<9>", count=5)
    assert suppress[0].row == row_ids[int(logits[:, 9].argmin())]
    assert float(log_probs[row_ids.index(promote[0].row)]) == pytest.approx(
        float(log_probs.max()), abs=1e-2
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_looks_among_the_kinds_that_are_asked_for(root: Path, kind: NodeKind):
    atlas = atlas_of(specimen("gpt2").architecture, root / "gpt2")
    atlas.build()
    row_ids, logits = every_row("gpt2")
    places = [at for at, row in enumerate(row_ids) if row.kind is kind]
    best = max(places, key=lambda at: float(logits[at].log_softmax(-1)[9]))
    promote, suppress = atlas.search("<9>", [kind], count=10_000)
    assert promote[0].row == row_ids[best]
    assert {one.row for one in promote} == {one.row for one in suppress}
    assert len(promote) == len(places)
    assert {one.row.kind for one in atlas.like("L0.memory0", [kind], count=3)} == {kind}


@pytest.fixture
def flawed(root: Path) -> Atlas:
    """An atlas with a row of zeros, and one row twice; its model has no bias whatever."""
    architecture = lay_open(copy.deepcopy(specimen("llama-gqa").model))
    architecture.blocks[1].mlp.w_out[4] = 0
    architecture.blocks[1].mlp.w_out[6] = architecture.blocks[2].mlp.w_out[9]
    flawed = atlas_of(architecture, root / "flawed")
    flawed.build()
    return flawed


def test_rows_that_say_nothing_are_like_none(flawed: Atlas):
    with pytest.raises(RequestError, match="gives every token the same logit, so nothing is like"):
        flawed.like("L1.memory4")
    found = flawed.like("L1.memory5", count=10_000)
    assert len(found) == flawed.n_rows - 3  # itself, and zeros in either sign
    assert {str(one.row) for one in found}.isdisjoint({"L1.memory4", "-L1.memory4", "L1.memory5"})
    promote, _ = flawed.search("<3>", count=10_000)
    zero = next(one for one in promote if str(one.row) == "L1.memory4")
    assert zero.reading.target.prob == pytest.approx(1 / 61)
    assert zero.reading.target.rank == 1


def test_a_row_that_is_there_twice_is_like_itself(flawed: Atlas):
    (closest,) = flawed.like("L1.memory6", count=1)
    assert str(closest.row) == "L2.memory9"
    assert closest.correlation == pytest.approx(1, abs=1e-12)


def test_half_precision_weights_are_searched_in_single_precision(tmp_path: Path):
    architecture = specimen("gpt2", torch.bfloat16).architecture
    atlas = atlas_of(architecture, tmp_path)
    atlas.build()
    (best, *_), _ = atlas.search("<9>", count=3)
    row = vector(architecture, best.row).float()
    wide = replace(architecture, unembedding=architecture.unembedding.float())
    logits = logits_of(wide, wide.final_norm(row))
    assert best.reading.target.logit == pytest.approx(float(logits[9]), rel=1e-5)
    assert best.reading.target.rank == 1 + int((logits > logits[9]).sum())


def test_a_mixture_of_experts_is_searched_by_its_attention_neurons(tmp_path: Path):
    atlas = atlas_of(specimen("mixtral").architecture, tmp_path)
    atlas.build()
    promote, _ = atlas.search("<9>", count=10_000)
    assert {one.row.kind for one in promote} == {NodeKind.ATTN_NEURON}
    assert atlas.search("<9>", [NodeKind.MEMORY_VALUE]) == ((), ())
    with pytest.raises(RequestError, match=r"there is no row L1.memory5; layer 1 has none like it"):
        atlas.like("L1.memory5")


def test_an_atlas_that_is_not_whole_says_how_to_build_it(tmp_path: Path):
    atlas = atlas_of(specimen("gpt2").architecture, tmp_path)
    said = r"the atlas of tiny is not built; visit atlas build --model tiny takes about [\d.]+ s "
    for ask in (lambda: atlas.search("<9>"), lambda: atlas.like("L0.memory1")):
        with pytest.raises(RequestError, match=said + r"and [\d.]+ kB, once"):
            ask()
    assert list(tmp_path.iterdir()) == []
    estimated, built = atlas.estimate(), atlas.build()
    assert estimated.rows == built.rows == atlas.n_rows
    # The headers, a kilobyte for each file, weigh much in a model this tiny.
    assert atlas.estimate().rows == 0
    assert estimated.bytes < built.bytes < estimated.bytes + 1500 * 24


def test_a_build_that_is_stopped_goes_on_where_it_was(tmp_path: Path):
    atlas = atlas_of(specimen("gpt2").architecture, tmp_path)
    heard: list[float] = []

    def stop(part: float) -> None:
        heard.append(part)
        if part > 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        atlas.build(stop)
    assert heard == sorted(heard) and heard[0] == 0
    assert 0 < atlas.build().rows <= atlas.n_rows / 2
    assert atlas.build().rows == 0


# ---------------------------------------------------------------- graphs


def test_what_a_graph_says_of_a_row_is_what_the_atlas_says_of_it():
    """The real model, end to end: the same row, in the direction of its coefficient."""
    session = Session.load("mini")
    session.atlas.build()
    flow = session.explain(Request("The capital of Japan is the city of"))
    compared = 0
    for node in flow.nodes:
        if node.id.kind not in KINDS:
            continue
        row = RowId.parse(str(node.id))
        signs = [-1 if (node.activation or 0) < 0 else 1]
        if node.id.kind is NodeKind.MEMORY_KEY:  # drawn with the sign of its match
            signs = [1, -1]
        said = [
            session.atlas._files.at(replace(row, sign=sign), "top_ids").tolist() for sign in signs
        ]
        assert [token.id for token in node.reading.top] in said, row
        compared += 1
    assert compared > 400
