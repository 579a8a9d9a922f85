"""What can be loaded, and one clear line for each thing that cannot."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from visit.errors import ModelError
from visit.graph.request import Request
from visit.models.loading import cached_models, load
from visit.models.loading.reading import FIRST_UNTRIED_TRANSFORMERS, OLDEST_TRANSFORMERS
from visit.session import Session


def refused(name: Path | str, message: str, **options: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load(str(name), **options)
    assert "\n" not in str(caught.value)


def test_a_folder_is_loaded_in_the_dtype_that_was_asked_for(whole: Path):
    loaded = load(str(whole), dtype="float64")
    assert loaded.info.dtype == "float64"
    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.float64}
    assert loaded.model.config._attn_implementation == "eager"
    assert not loaded.model.training


def test_the_hash_is_of_the_weights_file(whole: Path):
    import hashlib

    expected = hashlib.sha256((whole / "model.safetensors").read_bytes()).hexdigest()
    assert load(str(whole)).info.weights_sha256 == expected


def test_an_unknown_name_is_refused_with_what_to_do():
    refused("nobody/nothing", "'nobody/nothing' is neither a folder nor in the hub's cache.*online")


def test_a_name_that_no_hub_would_take_is_refused():
    refused("no such model!", "there is no model 'no such model!'; give mini, a Hugging Face id")


def test_a_folder_without_a_config_is_refused(folder: Path):
    (folder / "config.json").unlink()
    refused(folder, "has no config.json; give a folder that save_pretrained wrote")


def test_a_folder_with_a_config_alone_is_refused(folder: Path):
    (folder / "model.safetensors").unlink()
    refused(folder, "has a config but no .*safetensors; add its weights")


def test_pickled_weights_are_refused_and_never_opened(folder: Path):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    refused(folder, r"only as a pickle \(pytorch_model.bin\), which can run code when opened")


@pytest.mark.parametrize("kept", [0, 4, 100, 5000])
def test_weights_cut_short_are_refused(folder: Path, kept: int):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    refused(folder, "the weights of model .* cannot be read: .*; fetch them again")


def test_a_config_that_is_not_json_is_refused(folder: Path):
    (folder / "config.json").write_text("{")
    refused(folder, "the config of model .* cannot be read")


def test_an_unknown_family_is_refused_before_its_weights_are_read(folder: Path):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    (folder / "model.safetensors").write_bytes(b"never read")
    refused(folder, "'bert' are not supported; give one of type bloom, falcon")


def test_a_gguf_file_that_is_not_there_is_refused(tmp_path: Path):
    refused(tmp_path / "no.gguf", "no.gguf' does not exist")


def test_a_gguf_file_that_is_not_one_is_refused(tmp_path: Path):
    (tmp_path / "bad.gguf").write_bytes(b"GGUF\x03\x00\x00")
    refused(tmp_path / "bad.gguf", "bad.gguf is cut short within its header")


def test_a_dtype_or_device_that_is_not_offered_is_refused(whole: Path):
    refused(
        whole, "dtype 'int3' is not offered; give float32, float64, bfloat16, float16", dtype="int3"
    )
    refused(whole, "device 'tpu' is not offered; give auto, cpu, cuda, mps", device="tpu")


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_here_is_refused(
    whole: Path, device: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    refused(whole, f"device '{device}' is not on this machine; give auto or cpu", device=device)


def test_a_local_model_has_no_revision(whole: Path):
    with pytest.raises(ModelError, match="is on this machine and has no revision 'main'; leave it"):
        load(str(whole), revision="main")


@pytest.mark.parametrize("given", ["4.56.2", "6.0.0"])
def test_a_transformers_outside_the_range_gives_one_clear_line(
    whole: Path, given: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("visit.models.loading.reading.version", lambda _: given)
    refused(whole, f"transformers {given} is installed; visit works with 4.57 or newer, below 6")


def test_the_range_of_transformers_is_the_projects_own():
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    oldest, beyond = OLDEST_TRANSFORMERS, FIRST_UNTRIED_TRANSFORMERS
    wanted = f"transformers>={oldest[0]}.{oldest[1]},<{beyond[0]}"
    assert wanted in project["project"]["dependencies"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_runs_in_its_dtype_and_is_measured_in_wider_ones(whole: Path, dtype: str):
    session, exact = Session(load(str(whole), dtype=dtype)), Session(load(str(whole)))
    request = Request("The capital of Japan is")
    flow, reference = session.explain(request), exact.explain(request)
    assert flow.model.dtype == dtype
    assert flow.audit.residual < 0.02
    shares = [e.share for e in flow.edges if e.ledger == "residual" and e.share is not None]
    assert any(share != float(torch.tensor(share).to(torch.bfloat16)) for share in shares)
    assert flow.predictions[0].logit == pytest.approx(reference.predictions[0].logit, rel=0.05)


@pytest.mark.parametrize(
    ("dtype", "residual", "logit"),
    [("float64", 1e-10, 1e-9), ("float32", 1e-5, 1e-3), ("bfloat16", 5e-2, 0.5)],
)
def test_a_saved_mixture_of_experts_adds_up_in_every_dtype_and_says_its_limits(
    folder: Path, dtype: str, residual: float, logit: float
):
    from transformers import MixtralConfig, MixtralForCausalLM

    vocab_size = json.loads((folder / "config.json").read_text())["vocab_size"]
    torch.manual_seed(3)
    config = MixtralConfig(
        vocab_size=vocab_size, hidden_size=48, intermediate_size=41, num_hidden_layers=2,
        num_attention_heads=6, num_key_value_heads=2, num_local_experts=5, bos_token_id=0,
        eos_token_id=0, max_position_embeddings=23,
    )  # fmt: skip
    MixtralForCausalLM(config).save_pretrained(folder)
    session = Session.load(str(folder), dtype=dtype)
    assert (session.model.n_experts, session.model.n_routed) == (5, 2)
    assert session.model.limits == "experts are shown whole, not opened into memories"
    flow = session.explain(Request("The capital of Japan is"))
    experts = [edge for edge in flow.edges if edge.ledger == "experts"]
    assert len(experts) == 4
    assert flow.audit.residual < residual
    assert flow.audit.logit < logit


def test_weights_that_are_not_finite_are_refused_by_name(folder: Path):
    weights = load_file(folder / "model.safetensors")
    weights["transformer.h.1.mlp.c_fc.bias"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    session = Session.load(str(folder))
    with pytest.raises(ModelError, match=r"the weight transformer.h.1.mlp.c_fc.bias holds NaN"):
        session.explain(Request("The capital"))


def test_activations_that_are_not_finite_are_refused_with_their_place(folder: Path):
    weights = load_file(folder / "model.safetensors")
    weights["transformer.h.1.mlp.c_fc.bias"][3] = 6e4
    weights["transformer.h.1.mlp.c_proj.weight"][3] = 6e4
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    session = Session.load(str(folder), dtype="float16")
    message = "layer 1's mlp_out holds NaN or infinity in float16; try --dtype float32 or bfloat16"
    with pytest.raises(ModelError, match=message):
        session.explain(Request("The capital"))


@pytest.fixture
def hub_cache(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's cache as huggingface_hub lays it out, holding three models."""
    cache, commit = tmp_path / "hub", "0123456789abcdef0123456789abcdef01234567"
    for name in ("whole", "strange", "bare"):
        snapshot = cache / f"models--lab--{name}" / "snapshots" / commit
        shutil.copytree(whole, snapshot)
        (snapshot.parent.parent / "blobs").mkdir()
        (snapshot.parent.parent / "refs").mkdir()
        (snapshot.parent.parent / "refs" / "main").write_text(commit)
        if name == "strange":
            (snapshot / "config.json").write_text('{"model_type": "bert"}')
        if name == "bare":
            (snapshot / "model.safetensors").unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(cache))
    return cache


def test_the_hubs_cache_is_listed_with_what_can_be_run(hub_cache: Path):
    listed = cached_models()
    assert list(listed) == ["lab/bare", "lab/strange", "lab/whole"]
    assert listed["lab/bare"].endswith("GPT-2, but no safetensors")
    assert listed["lab/strange"].endswith("type bert is not supported")
    assert listed["lab/whole"].endswith(", GPT-2")
    assert re.match(r"[\d.]+[KM], ", listed["lab/whole"])


def test_a_cached_model_is_loaded_by_its_id_without_the_network(hub_cache: Path, whole: Path):
    info = load("lab/whole").info
    assert info.name == "lab/whole"
    assert info.revision == "0123456789abcdef0123456789abcdef01234567"
    assert info.weights_sha256 == load(str(whole)).info.weights_sha256


def test_what_is_in_the_cache_is_loaded_and_what_is_not_is_downloaded_first(
    hub_cache: Path, whole: Path
):
    for name, stages in (
        (str(whole), [f"loading {whole}"]),
        ("lab/whole", ["loading lab/whole"]),
        ("lab/bare", ["downloading lab/bare"]),  # and there it fails, offline
    ):
        heard: list[str] = []
        with suppress(ModelError):
            load(name, tell=heard.append)
        assert heard == stages


def test_a_cached_model_without_weights_is_refused_offline(hub_cache: Path):
    refused("lab/bare", "the hub did not give it")
