"""Models larger than one device: spread, offloaded to memory or to disk, and read all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import cpu_offload
from specimens import MAKERS, TOKEN_IDS, Numbered, save_tiny_model

from visit.assemble import Builder
from visit.errors import ModelError
from visit.formats.records import data_from_flow
from visit.graph.flow import FlowGraph
from visit.graph.request import Request
from visit.lens.projector import Projector
from visit.lens.readings import Reader
from visit.models.architectures import lay_open
from visit.models.architectures.base import BlocksOnDemand
from visit.models.loading import Loaded, load, loaded_from
from visit.session import Session
from visit.tracing.trace import record

PROMPT = "The capital of Japan is"
LAYERS = "transformer.h"
PARTS = ["transformer.wte", "transformer.wpe", "transformer.ln_f", "lm_head"]
ON_DISK = {**dict.fromkeys(PARTS, "cpu"), f"{LAYERS}.0": "cpu", f"{LAYERS}.1": "disk",
           f"{LAYERS}.2": "cpu"}  # fmt: skip
OFFLOADABLE = ["gpt2", "gpt-neox-parallel", "bloom", "falcon-40b", "gemma2", "phi3", "mixtral"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


def graph(loaded: Loaded) -> FlowGraph:
    """All of a model that has no tokenizer, with every layer open."""
    trace = record(loaded.model, loaded.architecture, TOKEN_IDS)
    reader = Reader(Projector(loaded.architecture), Numbered())
    builder = Builder(loaded.architecture, Numbered(), reader, loaded.info)
    return builder.whole(trace, Request("x", threshold=0.0), lambda *_: None)


def n_meta(model: Any) -> int:
    return sum(weight.is_meta for weight in model.parameters())


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_a_layer_on_the_disk_changes_nothing_in_the_document(folder: Path, dtype: str):
    plain = Session.load(str(folder), dtype=dtype)
    spread = Session.load(str(folder), dtype=dtype, device_map=ON_DISK)
    assert n_meta(spread.resident.loaded.model) == 12
    request = Request(PROMPT, threshold=0.0)
    assert spread.explain(request) == plain.explain(request)
    assert spread.open(request, 1, 2) == plain.open(request, 1, 2)
    assert spread.lens(request, [1, -1]) == plain.lens(request, [1, -1])
    assert spread.pattern(request, 1, 3) == plain.pattern(request, 1, 3)


def test_auto_is_the_plain_run_where_all_of_it_fits(folder: Path):
    plain = Session.load(str(folder)).explain(Request(PROMPT))
    assert Session.load(str(folder), device_map="auto").explain(Request(PROMPT)) == plain


@pytest.mark.parametrize("name", OFFLOADABLE)
def test_a_model_whose_every_weight_is_offloaded_gives_the_same_document(name: str):
    torch.manual_seed(0)
    model = MAKERS[name]().double().eval().requires_grad_(False)
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")  # as loading does
    plain = graph(loaded_from(model, None, name="tiny"))
    offloaded = cpu_offload(model, execution_device=torch.device("cpu"))
    assert all(weight.is_meta for weight in offloaded.parameters())
    again = loaded_from(offloaded, None, name="tiny")
    assert data_from_flow(graph(again)) == data_from_flow(plain)
    assert again.info == plain.model


def test_a_layers_weights_are_fetched_once_a_sweep_and_never_all_at_once(folder: Path):
    """The flow's sweep, the one that draws, and the outcomes'.

    Then of the effects the changed passes', from the second layer on, and the gradient's back,
    which has the last one still.
    """
    loaded = load(str(folder), device_map=ON_DISK)
    blocks = loaded.architecture.blocks
    assert isinstance(blocks, BlocksOnDemand)
    fetched: list[int] = []
    load_one = blocks._load.__wrapped__

    def counting(layer: int) -> Any:
        fetched.append(layer)
        return load_one(layer)

    counted = BlocksOnDemand(blocks.outline, counting)
    architecture = replace(loaded.architecture, blocks=counted)
    session = Session(replace(loaded, architecture=architecture))
    session.explain(Request(PROMPT))
    assert fetched == [2, 1, 0, 2, 1, 0, 2, 1, 0, 1, 2, 1, 0]
    assert all(block.mlp.w_in.is_meta for block in blocks.outline)


def test_the_weights_of_an_ordinary_model_stay_views(folder: Path):
    loaded = load(str(folder))
    own = {weight.untyped_storage().data_ptr() for weight in loaded.model.parameters()}
    for block in loaded.architecture.blocks:
        for weight in (block.attention.w_q, block.attention.w_o, block.mlp.w_in, block.mlp.w_out):
            assert weight.untyped_storage().data_ptr() in own


def test_laying_open_leaves_a_spread_model_as_it_was(folder: Path):
    model = load(str(folder), device_map=ON_DISK).model
    before = {name: (id(weight), weight.device) for name, weight in model.named_parameters()}
    _ = lay_open(model).blocks[1]
    after = {name: (id(weight), weight.device) for name, weight in model.named_parameters()}
    assert after == before


def test_a_weight_on_the_disk_that_is_not_finite_is_named(tmp_path: Path):
    from safetensors.torch import load_file, save_file

    weights = load_file(save_tiny_model(tmp_path) / "model.safetensors")
    weights["transformer.h.1.mlp.c_fc.bias"][3] = float("nan")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    session = Session.load(str(tmp_path), device_map=ON_DISK)
    with pytest.raises(ModelError, match=r"the weight transformer.h.1.mlp.c_fc.bias holds NaN"):
        session.explain(Request(PROMPT))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device_map": "sideways"}, "device map 'sideways' is not offered; give auto"),
        (
            {"device_map": "auto", "device": "cpu"},
            "a device map chooses the devices itself; leave out --device cpu",
        ),
    ],
)
def test_a_device_map_that_cannot_be_is_refused(
    folder: Path, options: dict[str, str], message: str
):
    with pytest.raises(ModelError, match=message):
        load(str(folder), **options)
