"""A GGUF file is written down once; what is kept is believed only if it is what it says."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf_files import write_gguf
from specimens import _like_llama
from torch import Tensor

from visit.errors import ModelError
from visit.models.loading import converted as rules
from visit.models.loading import load
from visit.models.loading.converted import clear_converted, converted_folder, kept_models


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(3)
    model = _like_llama("Llama", 2)
    model.save_pretrained(folder)
    return write_gguf(folder, folder / "tiny.gguf", model.config)


@pytest.fixture
def gguf(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A GGUF file, and a cache of its own."""
    monkeypatch.setenv("VISIT_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copy(made, tmp_path))


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where to each conversion goes."""
    done: list[Path] = []
    write = rules.write_folder

    def noted(file: Path, header: Any, folder: Path, *rest: Any) -> None:
        done.append(folder)
        write(file, header, folder, *rest)

    monkeypatch.setattr(rules, "write_folder", noted)
    return done


def weights(loaded: Any) -> dict[str, Tensor]:
    """Copies: the model's own are mapped from the file that a test changes."""
    return {name: weight.clone() for name, weight in loaded.model.named_parameters()}


def kept(gguf: Path) -> Path:
    (folder,) = (path for path in converted_folder().iterdir() if not path.name.startswith("."))
    return folder


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert torch.equal(weight, theirs[name]), name


def test_a_file_is_converted_once_and_keeps_its_name_and_digest(
    gguf: Path, conversions: list[Path]
):
    first, second = load(str(gguf)), load(str(gguf))
    assert len(conversions) == 1
    same(weights(first), weights(second))
    sha256 = hashlib.sha256(gguf.read_bytes()).hexdigest()
    for loaded in (first, second):
        assert loaded.info.name == str(gguf)
        assert loaded.info.weights_sha256 == sha256
        assert loaded.info.revision is None


def test_a_second_load_asks_transformers_for_no_gguf_and_parses_none(
    gguf: Path, monkeypatch: pytest.MonkeyPatch
):
    load(str(gguf))
    monkeypatch.setattr(rules, "read_header", lambda _: pytest.fail("it was parsed again"))
    load(str(gguf))


def test_the_work_is_told_by_its_bytes(gguf: Path):
    heard: list[str] = []
    load(str(gguf), tell=heard.append)
    assert heard[0] == f"loading {gguf}"
    assert heard[-1] == f"loading {gguf}"
    assert heard[-2].startswith(f"converting {gguf}, ") and " of " in heard[-2]
    again: list[str] = []
    load(str(gguf), tell=again.append)
    assert set(again) == {f"loading {gguf}"}


def test_each_dtype_is_kept_apart_and_float64_shares_with_float32(
    gguf: Path, conversions: list[Path]
):
    for dtype in ("float32", "bfloat16", "float16", "float64", "bfloat16"):
        assert load(str(gguf), dtype=dtype).info.dtype == dtype
    assert len(conversions) == 3
    assert kept_models()[0] == 3


def test_another_file_of_the_same_name_is_another_model(
    gguf: Path, made: Path, tmp_path: Path, conversions: list[Path]
):
    load(str(gguf))
    data = bytearray(gguf.read_bytes())
    data[-1] ^= 0x40
    gguf.write_bytes(data)
    changed = load(str(gguf))
    assert len(conversions) == 2
    assert changed.info.weights_sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_kept_copy_that_was_changed_is_made_again(name: str, gguf: Path, conversions: list[Path]):
    first = weights(load(str(gguf)))
    data = bytearray((kept(gguf) / name).read_bytes())
    data[-5] ^= 1
    (kept(gguf) / name).write_bytes(data)
    same(weights(load(str(gguf))), first)
    assert len(conversions) == 2


def test_a_kept_copy_with_an_adapter_laid_beside_it_is_made_again(
    gguf: Path, conversions: list[Path]
):
    load(str(gguf))
    (kept(gguf) / "adapter_config.json").write_text("{}")
    load(str(gguf))
    assert len(conversions) == 2
    assert not (kept(gguf) / "adapter_config.json").exists()


def test_a_copy_by_another_converter_or_of_another_file_is_made_again(
    gguf: Path, conversions: list[Path]
):
    load(str(gguf))
    says = json.loads((kept(gguf) / rules.SAYS).read_text())
    for number, odd in enumerate(({"converter": 0}, {"sha256": "0" * 64}, {"dtype": "float16"})):
        (kept(gguf) / rules.SAYS).write_text(json.dumps({**says, **odd}))
        load(str(gguf))
        assert len(conversions) == 2 + number


def test_a_conversion_that_was_killed_leaves_nothing_that_is_believed(gguf: Path, tmp_path: Path):
    """Killed with SIGKILL after each tensor in turn, by the callback that tells of it."""
    code = (
        "import os, signal, sys; from pathlib import Path; import torch; "
        "from visit.models.loading.converted import converted_copy\n"
        "for after in (1, 5, 30):\n"
        "    if os.fork():\n"
        "        assert os.WTERMSIG(os.wait()[1]) == signal.SIGKILL\n"
        "        continue\n"
        "    heard = []\n"
        "    def tell(text):\n"
        "        heard.append(text)\n"
        "        if len(heard) == after: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    converted_copy('m', Path(sys.argv[1]), torch.float32, lambda n: None, tell)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(gguf)], check=True, cwd=Path.cwd())
    assert kept_models() == (0, 0)
    assert [path.name[0] for path in converted_folder().iterdir()] == ["."] * 2  # lock and rest
    reference = weights(load(str(gguf)))
    assert kept_models()[0] == 1
    assert [p for p in converted_folder().iterdir() if p.suffix == ".part"] == []
    assert (kept(gguf) / "config.json").is_file()
    same(weights(load(str(gguf))), reference)


def test_a_conversion_that_is_cancelled_leaves_nothing(gguf: Path):
    class Left(Exception):
        pass

    def leave(text: str) -> None:
        if text.startswith("converting"):
            raise Left

    with pytest.raises(Left):
        load(str(gguf), tell=leave)
    assert [p.suffix for p in converted_folder().iterdir()] == [".lock"]


def test_two_at_once_convert_once(gguf: Path, conversions: list[Path]):
    found: list[Any] = []

    def one() -> None:
        found.append(
            rules.converted_copy("m", gguf, torch.float32, lambda n: None, lambda text: None)
        )

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1
    assert len(conversions) == 1


def test_a_file_that_changes_while_it_is_read_is_refused(
    gguf: Path, monkeypatch: pytest.MonkeyPatch
):
    def tell(text: str) -> None:
        if text.startswith("converting"):
            os.utime(gguf, (1, 1))

    with pytest.raises(ModelError, match="changed while it was read; load it again"):
        load(str(gguf), tell=tell)
    assert kept_models() == (0, 0)


def test_what_was_used_longest_ago_gives_way(
    gguf: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
):
    for number, dtype in enumerate(("float32", "bfloat16")):
        load(str(gguf), dtype=dtype)
        for folder in converted_folder().iterdir():
            if "float32" in folder.name and folder.is_dir():
                os.utime(folder, (1000 + number,) * 2)
    monkeypatch.setattr(rules, "KEPT_BYTES", kept_models()[1])
    load(str(gguf), dtype="float16")
    names = sorted(path.name.split("-")[1] for path in converted_folder().iterdir()
                   if path.is_dir())  # fmt: skip
    assert names == ["bfloat16", "float16"]
    monkeypatch.setattr(rules, "KEPT_BYTES", 0)
    load(str(gguf))
    assert kept_models()[0] == 1


def test_clearing_removes_them_all_and_says_how_much(gguf: Path):
    load(str(gguf))
    taken = kept_models()[1]
    assert taken > 0
    assert clear_converted() == taken
    assert kept_models() == (0, 0)
    assert clear_converted() == 0


def test_a_cache_that_cannot_be_written_is_said_in_one_line(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VISIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot be converted into .*; set VISIT_CACHE to a fol"):
        load(str(gguf))


def test_a_disk_without_room_is_said_before_anything_is_written(
    gguf: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rules.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5000})())
    with pytest.raises(ModelError, match=r"needs .* to be converted, and 5.* are free; make room"):
        load(str(gguf))
    assert conversions == []


def test_a_model_larger_than_memory_is_refused_before_it_is_converted(
    gguf: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("visit.models.loading.loader.free_bytes", lambda _: 1000)
    with pytest.raises(ModelError, match=r"needs about .* for its weights in float32"):
        load(str(gguf))
    assert conversions == []
