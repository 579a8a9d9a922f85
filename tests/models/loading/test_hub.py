"""Models of the hub: from its cache without a word to the network, else downloaded, and resumed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from fake_hub import COMMIT, FakeHub
from specimens import save_tiny_model

from visit.errors import Cancelled, ModelError
from visit.models.loading import bars, load


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hub has: a whole model, a pickle, and one with files that nobody asked for."""
    folder = tmp_path_factory.mktemp("hub")
    save_tiny_model(folder / "lab" / "whole")
    shutil.copytree(folder / "lab" / "whole", folder / "lab" / "pickled")
    (folder / "lab" / "pickled" / "model.safetensors").rename(
        folder / "lab" / "pickled" / "pytorch_model.bin"
    )
    crowded = shutil.copytree(folder / "lab" / "whole", folder / "lab" / "crowded")
    (crowded / "onnx").mkdir()
    for name in ("pytorch_model.bin", "consolidated.safetensors", "onnx/config.json", "a.gguf"):
        (crowded / name).write_bytes(b"never fetched")
    return folder


@pytest.fixture
def hub(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The hub, open, with an empty cache of its files on this side."""
    fake = FakeHub(models)
    template = fake.url + "/{repo_id}/resolve/{revision}/{filename}"
    for name, value in (
        ("constants.ENDPOINT", fake.url),
        ("constants.HUGGINGFACE_CO_URL_TEMPLATE", template),
        ("file_download.HUGGINGFACE_CO_URL_TEMPLATE", template),  # huggingface_hub 0.x
        ("constants.HF_HUB_OFFLINE", False),
        ("constants.HF_HUB_CACHE", str(tmp_path / "cache")),
    ):
        monkeypatch.setattr(f"huggingface_hub.{name}", value, raising=False)
    _forget_sessions()
    with fake.open():
        yield fake
    _forget_sessions()


def _forget_sessions() -> None:
    """Close what huggingface_hub made while it was told to stay offline."""
    from huggingface_hub import utils

    # huggingface_hub 0.x calls it by the former name, later ones by the latter.
    forget = getattr(utils, "reset_sessions", None) or utils.close_session
    forget()


def test_a_model_is_downloaded_once_and_then_loaded_without_a_word_to_the_network(
    hub: FakeHub, models: Path
):
    first = load("lab/whole")
    assert first.info.revision == COMMIT
    assert any("model.safetensors" in request for request in hub.requests)
    hub.requests.clear()
    again = load("lab/whole")
    assert again.info == first.info
    assert hub.requests == []
    weights = (models / "lab" / "whole" / "model.safetensors").read_bytes()
    assert again.info.weights_sha256 == hashlib.sha256(weights).hexdigest()


def test_only_what_is_needed_is_fetched(hub: FakeHub, tmp_path: Path):
    load("lab/crowded")
    snapshot = tmp_path / "cache" / "models--lab--crowded" / "snapshots" / COMMIT
    fetched = {path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*")}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= fetched
    assert not fetched & {"pytorch_model.bin", "consolidated.safetensors", "onnx", "a.gguf"}


def test_a_pickle_is_refused_before_anything_is_fetched(hub: FakeHub):
    with pytest.raises(ModelError, match=r"only as a pickle \(pytorch_model.bin\)"):
        load("lab/pickled")
    assert not any("/resolve/" in request for request in hub.requests)


def test_a_download_tells_its_bytes(hub: FakeHub, models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bars, "TOLD_EVERY", 0.001)
    heard: list[str] = []
    threads = set()

    def tell(stage: str) -> None:
        heard.append(stage)
        threads.add(threading.get_ident())

    load("lab/whole", tell=tell)
    assert threads == {threading.get_ident()}  # a page can be told in no other
    assert heard[0] == "downloading lab/whole"
    assert heard[-1] == "loading lab/whole"
    told = [stage for stage in heard[1:-1] if ", " in stage]
    whole = sum(path.stat().st_size for path in (models / "lab" / "whole").iterdir())
    if told[-1].endswith("files"):  # huggingface_hub 0.x counts nothing smaller
        assert told[-1].endswith(f"{len(list((models / 'lab' / 'whole').iterdir()))} files")
    else:
        assert f" of {whole / 1000:.3g} kB" in told[-1]
        assert told[-1] == f"downloading lab/whole, {whole / 1000:.3g} of {whole / 1000:.3g} kB"


@pytest.mark.skipif(
    version("huggingface_hub").startswith("0."), reason="it ends with the file it is at"
)
def test_a_cancelled_download_ends_at_once_and_is_gone_on_with(
    hub: FakeHub, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """File by file: huggingface_hub 2 begins a broken one again, earlier ones in its middle."""
    monkeypatch.setattr(bars, "TOLD_EVERY", 0.0)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 4096)
    size = (models / "lab" / "whole" / "model.safetensors").stat().st_size
    hub.chunk, hub.pause = 4096, 0.05
    snapshots = tmp_path / "cache" / "models--lab--whole" / "snapshots"

    small = ["config.json", "tokenizer.json", "tokenizer_config.json"]

    def cancel(stage: str) -> None:
        cached = {path.name for path in snapshots.rglob("*")}
        if cached.issuperset(small) and hub.sent.get("model.safetensors", 0) > size // 3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        load("lab/whole", tell=cancel)
    assert hub.sent["model.safetensors"] < size
    hub.pause = 0.0
    hub.sent.clear()
    assert load("lab/whole").info.revision == COMMIT
    assert "model.safetensors" in hub.sent
    assert not hub.sent.keys() & set(small)


def test_what_is_not_there_is_refused_with_what_to_do(hub: FakeHub):
    for name, options, message in (
        ("lab/none", {}, "'lab/none' is neither .* hub has none of that name; check the name"),
        ("lab/whole", {"revision": "v9"}, "model 'lab/whole' has no revision 'v9'"),
    ):
        with pytest.raises(ModelError, match=message) as caught:
            load(name, **options)
        assert "\n" not in str(caught.value)


def test_a_gated_model_is_refused_with_what_to_do(hub: FakeHub):
    hub.status["lab/whole"] = (403, {"X-Error-Code": "GatedRepo"})
    message = "'lab/whole' is gated; accept its terms at https://huggingface.co/lab/whole and run"
    with pytest.raises(ModelError, match=message):
        load("lab/whole")


def test_a_hub_that_cannot_be_reached_is_said_quickly(hub: FakeHub):
    hub.status["lab/whole"] = (503, {})
    start = time.monotonic()
    with pytest.raises(
        ModelError, match=r"hub did not give it .*run `hf download lab/whole` while"
    ):
        load("lab/whole")
    assert time.monotonic() - start < 10


def test_a_half_fetched_model_is_not_taken_for_a_whole_one(hub: FakeHub, tmp_path: Path):
    load("lab/whole")
    snapshot = tmp_path / "cache" / "models--lab--whole" / "snapshots" / COMMIT
    (snapshot / "model.safetensors").unlink()
    hub.status["/api/"] = (503, {})
    with pytest.raises(ModelError, match="neither a folder nor wholly in the hub's cache"):
        load("lab/whole")
    hub.status.clear()
    assert load("lab/whole").info.revision == COMMIT


def test_the_command_line_runs_what_was_fetched_without_a_word_to_the_network(
    hub: FakeHub, tmp_path: Path
):
    load("lab/whole")
    hub.requests.clear()
    argv = [sys.executable, "-c", "import sys; from visit.cli.main import main; sys.exit(main())"]
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "0",
        "TRANSFORMERS_OFFLINE": "0",
    }
    done = subprocess.run(
        [*argv, "trace", "The capital", "--model", "lab/whole", "--layers", "none"],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["graph"]["model"]["name"] == "lab/whole"
    assert done.stderr == ""
    assert hub.requests == []
