"""Whatever is wrong with a model's files, one clear line says what it is and what to do."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from gguf import GGMLQuantizationType, GGUFWriter

from visit.errors import ModelError, RequestError
from visit.graph.request import Request
from visit.models.gguf.header import Damaged, read_header
from visit.models.loading import cached_models, load
from visit.models.loading.files import examine, weight_files
from visit.session import Session


@pytest.fixture
def shards(folder: Path) -> Path:
    """The same model in several files."""
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    return folder


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small GGUF file with every kind of value in its header and a packed tensor."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_uint32("llama.block_count", 1)
    writer.add_bool("some.flag", True)
    writer.add_float64("some.number", 1.5)
    writer.add_array("tokenizer.ggml.tokens", ["<s>", "a", "ab"])
    writer.add_array("tokenizer.ggml.scores", [0.0, -1.0, -2.0])
    writer.add_tensor("token_embd.weight", numpy.ones((3, 64), dtype=numpy.float32))
    packed = numpy.zeros((2, 64 // 32 * 18), dtype=numpy.uint8)
    writer.add_tensor("output.weight", packed, raw_dtype=GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def refused(name: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load(str(name))
    assert "\n" not in str(caught.value)


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


# ---------------------------------------------------------------- weight files


def test_sharded_weights_are_those_of_one_file(shards: Path, whole: Path):
    # Estimates are rounded by where the weights lie in memory.
    request = Request("The capital", effects=False)
    sharded, single = (Session.load(str(path)).explain(request) for path in (shards, whole))
    assert sharded.nodes == single.nodes
    assert sharded.edges == single.edges


def test_a_missing_shard_is_named(shards: Path):
    files = weight_files(shards)
    files[1].unlink()
    refused(shards, f"cannot be read: {files[1].name} of {len(files)} files is missing; fetch them")


def test_an_index_that_says_nothing_is_refused(shards: Path):
    for text in ("{", "[]", '{"weight_map": {}}', '{"weight_map": {"a": "../b.safetensors"}}'):
        (shards / "model.safetensors.index.json").write_text(text)
        refused(shards, "model.safetensors.index.json does not say which files hold them")


def test_safetensors_cut_short_anywhere_are_refused_with_both_sizes(whole: Path, tmp_path: Path):
    data = (whole / "model.safetensors").read_bytes()
    assert examine([whole / "model.safetensors"]).n_bytes == len(data)
    cut = tmp_path / "cut.safetensors"
    for kept in [*range(0, 16), *range(16, len(data), 611), len(data) - 1]:
        cut.write_bytes(data[:kept])
        with pytest.raises(
            Damaged, match=r"cut short .*, (after )?[\d,]+ (of [\d,]+ )?bytes|cut sh"
        ):
            examine([cut])
    cut.write_bytes(data + b"x")
    with pytest.raises(Damaged, match="longer than it says"):
        examine([cut])


def test_what_only_calls_itself_safetensors_is_refused(folder: Path):
    for data in (b"PK\x03\x04" * 400, b"<!DOCTYPE html>" * 400, b"\x10" + bytes(7) + b"{" * 16):
        (folder / "model.safetensors").write_bytes(data)
        refused(folder, "cannot be read: model.safetensors is (not a safetensors file|cut short)")


def test_gguf_cut_short_anywhere_is_refused(gguf: Path, tmp_path: Path):
    data = gguf.read_bytes()
    assert read_header(gguf).n_elements == 3 * 64 + 2 * 64
    cut = tmp_path / "cut.gguf"
    for kept in range(4, len(data), 3):
        cut.write_bytes(data[:kept])
        # The last tensor is padded to whole 32 bytes; what is lost of that is not missed.
        if len(data) - kept < 32:
            continue
        with pytest.raises(Damaged, match="is cut short"):
            read_header(cut)
    for kept in (0, 20, 60, len(data) // 2, len(data) - 40):
        cut.write_bytes(data[:kept])
        refused(cut, "cut.gguf' cannot be read: cut.gguf is (cut short|not a GGUF file)")


def test_gguf_with_any_byte_of_its_header_changed_is_read_or_refused(gguf: Path, tmp_path: Path):
    data = gguf.read_bytes()
    bad = tmp_path / "bad.gguf"
    for place in range(0, 400):
        bad.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            read_header(bad)
        except Damaged as problem:
            assert "\n" not in str(problem)


@pytest.mark.parametrize("alignment", [0, "odd", 3.5])
def test_a_gguf_whose_alignment_makes_no_sense_is_refused(alignment: Any, tmp_path: Path):
    path = tmp_path / "odd.gguf"
    writer = GGUFWriter(str(path), "llama")
    add = {int: writer.add_uint32, str: writer.add_string, float: writer.add_float32}
    add[type(alignment)]("general.alignment", alignment)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    refused(path, "odd.gguf is damaged: its header makes no sense")


def test_a_gguf_that_is_not_one_is_refused(tmp_path: Path):
    (tmp_path / "text.gguf").write_text("a model, honestly")
    refused(tmp_path / "text.gguf", "text.gguf is not a GGUF file; fetch them again")


# ---------------------------------------------------------------- config and tokenizer


def test_a_family_that_transformers_does_not_know_either_is_refused_by_its_name(folder: Path):
    change_config(folder, model_type="hyena")
    refused(folder, "models of type 'hyena' are not supported; give one of type bloom, falcon")


def test_a_config_without_a_type_is_refused(folder: Path):
    (folder / "config.json").write_text("{}")
    refused(folder, "'None' are not supported")
    (folder / "config.json").write_text("[]")
    refused(folder, "the config of model .* cannot be read")


def test_a_config_that_asks_for_more_than_the_weights_have_is_refused(folder: Path):
    """transformers would make up the rest at random."""
    change_config(folder, n_layer=4)
    refused(folder, r"the config asks for transformer.h.3.attn.c_attn.bias, which the weights")


def test_a_config_of_other_sizes_is_refused(folder: Path):
    change_config(folder, n_embd=20)
    refused(folder, "transformer.h.0.attn.c_attn.bias is 90 in the weights and 60 by the config")


def test_a_model_that_is_stored_quantised_is_refused_with_what_to_do(folder: Path):
    change_config(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    refused(folder, "is stored quantised, by gptq, and cannot .*; give the model it was made from")


def test_a_missing_tokenizer_is_said(folder: Path):
    for path in folder.glob("*token*"):
        path.unlink()
    refused(folder, "the tokenizer of model .* cannot be read")


def test_a_token_that_the_model_does_not_have_is_refused_by_itself(folder: Path, whole: Path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(whole)
    n_known = len(tokenizer)
    tokenizer.add_tokens(["<extra>"])
    tokenizer.save_pretrained(folder)
    session = Session.load(str(folder))
    assert session.explain(Request("The capital")).nodes
    message = f"token '<extra>' has id {n_known}, but the model knows ids 0 to {n_known - 1}"
    for request in (Request("The<extra>"), Request("The", target="<extra>")):
        with pytest.raises(RequestError, match=message):
            session.explain(request)


# ---------------------------------------------------------------- folders


def as_nobody(work: Callable[[], None]) -> None:
    """Do something without root's right to read everything."""
    if os.geteuid() != 0:
        return work()
    os.seteuid(65534)
    try:
        return work()
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="it has other permissions")
def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path):
    closed = Path("/tmp") / f"visit-closed-{os.getpid()}"
    closed.mkdir(mode=0o000)
    try:
        as_nobody(lambda: refused(closed, "cannot be read: .* is not yours to open; make it"))
        as_nobody(lambda: refused(closed / "m.gguf", "cannot be read: .* is not yours to open"))
    finally:
        closed.rmdir()


def test_a_broken_cache_is_listed_and_keeps_nothing_else_from_being_listed(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cache, commit = tmp_path / "hub", "0123456789abcdef0123456789abcdef01234567"
    breaks: dict[str, Callable[[Path], object]] = {
        "whole": lambda folder: None,
        "cut": lambda folder: (folder / "model.safetensors").write_bytes(b"short"),
        "pickle": lambda folder: (folder / "model.safetensors").rename(folder / "a.bin"),
        "moe": lambda folder: change_config(folder, model_type="dbrx"),
        "list": lambda folder: (folder / "config.json").write_text("[]"),
        "packed": lambda folder: change_config(folder, quantization_config={}),
    }
    for name, damage in breaks.items():
        folder = cache / f"models--lab--{name}" / "snapshots" / commit
        shutil.copytree(whole, folder)
        (folder.parent.parent / "blobs").mkdir()
        (folder.parent.parent / "refs").mkdir()
        (folder.parent.parent / "refs" / "main").write_text(commit)
        damage(folder)
    (cache / "models--lab--empty").mkdir()
    (cache / "models--lab--file").write_text("no folder")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(cache))
    standing = {name: note.partition(", ")[2] for name, note in cached_models().items()}
    assert standing == {
        "lab/cut": "GPT-2, but model.safetensors is cut short within its header, after 5 bytes",
        "lab/list": "its config.json cannot be read",
        "lab/moe": "type dbrx is not supported",
        "lab/packed": "GPT-2, but stored quantised",
        "lab/pickle": "GPT-2, but only a pickle",
        "lab/whole": "GPT-2",
    }
