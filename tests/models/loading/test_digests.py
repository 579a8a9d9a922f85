"""What a model's weights are known by, and when they need not be read for it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from visit.models.loading import digests
from visit.models.loading.digests import weights_sha256


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where digests are kept; every file is a large one."""
    monkeypatch.setattr(digests, "SMALL", 0)
    return tmp_path / "cache" / "digests"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    return path


class Reads(list[int]):
    """How often a file was read."""

    def __call__(self) -> None:
        self.append(1)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_one_file_is_known_by_its_bytes_and_several_by_theirs_in_order(file: Path, kept: Path):
    other = file.with_name("b")
    other.write_bytes(b"more")
    assert weights_sha256([file], kept) == sha256(b"weights")
    both = sha256((sha256(b"weights") + sha256(b"more")).encode())
    assert weights_sha256([file, other], kept) == both


def test_a_file_is_read_once_and_again_when_anything_of_it_changes(file: Path, kept: Path):
    reads = Reads()
    for _ in range(3):
        assert weights_sha256([file], kept, reads) == sha256(b"weights")
    assert len(reads) == 1
    status = file.stat()
    file.write_bytes(b"WEIGHTS")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if nothing had happened
    assert weights_sha256([file], kept, reads) == sha256(b"WEIGHTS")
    assert len(reads) == 2
    moved = file.rename(file.with_name("moved"))
    assert weights_sha256([moved], kept, reads) == sha256(b"WEIGHTS")
    assert len(reads) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"of": 1, "sha256": 2}'])
def test_a_record_that_is_broken_is_not_trusted(text: str, file: Path, kept: Path):
    weights_sha256([file], kept)
    (record,) = kept.iterdir()
    record.write_text(text)
    assert weights_sha256([file], kept) == sha256(b"weights")
    assert json.loads(record.read_text())["sha256"] == sha256(b"weights")


def test_a_cache_that_cannot_be_written_is_done_without(file: Path, kept: Path):
    kept.parent.mkdir()
    kept.write_text("a file is in the way")
    assert weights_sha256([file], kept) == sha256(b"weights")


def test_a_large_file_of_the_hub_bears_its_digest_as_its_name(tmp_path: Path, kept: Path):
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    reads = Reads()
    for name, expected in (("a" * 64, "a" * 64), ("b" * 40, sha256(b"small"))):
        (blobs / name).write_bytes(b"small")
        link = tmp_path / f"{name[0]}.safetensors"
        link.symlink_to(blobs / name)
        assert weights_sha256([link], kept, reads) == expected
    assert len(reads) == 1


def test_small_files_leave_nothing_behind(file: Path, tmp_path: Path):
    assert weights_sha256([file], tmp_path / "kept") == sha256(b"weights")
    assert not (tmp_path / "kept").exists()
