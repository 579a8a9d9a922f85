"""The atlas on the disk: killed, run twice at once, damaged, bounded, out of reach."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import building
import platformdirs
import pytest
import torch
from atlases import atlas_of, info
from building import KILLED_AT
from platformdirs import macos, unix, windows
from specimens import Numbered, specimen

from visit.errors import OutputError
from visit.graph.flow import NodeKind
from visit.lens.atlas import Atlas, RowId, folders, row_cache
from visit.lens.atlas.row_cache import RowCache
from visit.lens.atlas.segment import UNFINISHED
from visit.lens.measured import Measured
from visit.lens.projector import Projector
from visit.models.rows import vector

ROOT = Path(__file__).parents[2]
ARCHITECTURE = specimen("gpt2").architecture
ROWS = [RowId(NodeKind.MEMORY_VALUE, 1, index, sign) for index in range(6) for sign in (1, -1)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def keys(rows: list[RowId]) -> list[bytes]:
    return [hashlib.md5(str(row).encode()).digest() for row in rows]


def measured(rows: list[RowId], top_k: int = 10) -> Measured:
    asked = torch.stack([vector(ARCHITECTURE, row) for row in rows])
    return Projector(ARCHITECTURE).measure(asked, top_k)


def assert_same(one: Measured, other: Measured) -> None:
    for field in fields(Measured):
        left, right = getattr(one, field.name), getattr(other, field.name)
        assert left.dtype == right.dtype and torch.equal(left, right), field.name


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    return atlas_of(ARCHITECTURE, tmp_path)


def again(atlas: Atlas) -> Atlas:
    """The same atlas, opened by another process."""
    return atlas_of(ARCHITECTURE, atlas.folder.parent)


# ---------------------------------------------------------------- whole builds


def test_a_build_that_is_killed_or_run_twice_at_once_ends_like_one_left_alone(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, building.__file__, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    left = json.loads(done.stdout)
    # Each kill came before the end, and what had been there stayed.
    assert all(moment <= files < 48 for moment, files in zip(KILLED_AT, left, strict=True))
    assert left == sorted(left)
    alone = contents(tmp_path / "alone")
    assert len([name for name in alone if name.endswith(".safetensors")]) == 48
    assert contents(tmp_path / "together") == alone
    killed = contents(tmp_path / "killed")
    assert {n: data for n, data in killed.items() if not n.startswith(UNFINISHED)} == alone


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-1]), id="cut short"),
        pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
        pytest.param(lambda path: path.unlink(), id="removed"),
        pytest.param(lambda path: path.write_bytes(b"x" * 5000), id="nothing of the kind"),
        pytest.param(
            lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x7f"), id="a byte changed"
        ),
        pytest.param(
            lambda path: path.write_bytes(path.with_name("L001.mlp_bias.plus.safetensors")
                                          .read_bytes()), id="another part",
        ),
        pytest.param(
            lambda path: path.write_bytes(path.read_bytes().replace(b"top_logits", b"top_lagits")),
            id="a name changed",
        ),
    ],
)  # fmt: skip
def test_a_damaged_file_is_measured_anew(atlas: Atlas, harm: Callable[[Path], object]):
    atlas.build()
    whole = contents(atlas.folder)
    harm(atlas.folder / "L002.mlp_bias.plus.safetensors")
    assert not again(atlas).is_whole()
    assert again(atlas).build().rows == 1
    assert contents(atlas.folder) == whole


def test_files_of_another_version_or_other_weights_are_never_opened(
    atlas: Atlas, monkeypatch: pytest.MonkeyPatch
):
    atlas.build()
    atlas.keep(keys(ROWS), measured(ROWS))
    root, projector = atlas.folder.parent, Projector(ARCHITECTURE)
    others = [Atlas(info(ARCHITECTURE, "1" * 64), ARCHITECTURE, Numbered(), projector, root)]
    with monkeypatch.context() as patch:
        patch.setattr(folders, "FORMAT", folders.FORMAT + 1)
        others.append(again(atlas))
    with monkeypatch.context() as patch:
        patch.setattr(Numbered, "sha256", "of another vocabulary")
        others.append(again(atlas))
    assert len({atlas.folder, *(other.folder for other in others)}) == 4
    for other in others:
        assert not other.is_whole()
        # Not even under the folder's name: every file says whose it is.
        atlas.folder.rename(other.folder)
        assert not other.is_whole()
        assert not other.lookup(keys(ROWS), 3)[0].any()
        atlas.folder.mkdir(exist_ok=True)
        other.folder.rename(atlas.folder)
        atlas.keep(keys(ROWS), measured(ROWS))
    assert again(atlas).is_whole()


def test_what_a_killed_writer_left_is_swept_up_in_time(atlas: Atlas):
    atlas.folder.mkdir()
    old, new = (atlas.folder / f"{UNFINISHED}{name}.tmp" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half a segment")
    os.utime(old, (0, 0))
    atlas.build()
    assert not old.exists() and new.exists()


def test_a_build_that_cannot_be_written_says_so(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    atlas = atlas_of(ARCHITECTURE, tmp_path / "file")
    with pytest.raises(OutputError, match=r"^the atlas .* cannot be written: not a directory; set"):
        atlas.build()


# ---------------------------------------------------------------- kept rows


def test_what_is_kept_comes_back_bit_for_bit_in_the_order_asked(atlas: Atlas):
    atlas.keep(keys(ROWS[:5]), measured(ROWS[:5]))
    atlas.keep(keys(ROWS[4:9]), measured(ROWS[4:9]))
    asked = [ROWS[at] for at in (8, 0, 11, 4, 3, 10, 6)]
    for reader in (atlas, again(atlas)):
        found, kept = reader.lookup(keys(asked), 10)
        assert found.tolist() == [True, True, False, True, True, False, True]
        assert_same(kept, measured([row for row in asked if row in ROWS[:9]]))
        found, kept = reader.lookup(keys([ROWS[2], ROWS[7]]), 4)
        assert_same(kept, measured([ROWS[2], ROWS[7]], 4))
        assert found.all()


def test_the_target_of_kept_rows_is_that_of_rows_just_measured(atlas: Atlas):
    projector, asked = Projector(ARCHITECTURE), torch.stack([vector(ARCHITECTURE, r) for r in ROWS])
    atlas.keep(keys(ROWS), measured(ROWS))
    _, kept = again(atlas).lookup(keys(ROWS), 10)
    for target_id in (0, 31):
        ours = projector.target(asked, kept, target_id)
        theirs = projector.target(asked, projector.measure(asked, 10), target_id)
        assert torch.equal(ours.rank, theirs.rank) and torch.equal(ours.prob, theirs.prob)


def test_nothing_kept_is_found_as_nothing(atlas: Atlas):
    found, kept = atlas.lookup(keys(ROWS), 3)
    assert not found.any() and len(found) == len(ROWS)
    assert len(kept) == 0 and kept.top_ids.shape == (0, 3) and kept.codes.shape == (0, 61)
    found, kept = atlas.lookup([], 3)
    assert len(found) == len(kept) == 0
    assert not atlas.folder.exists()


def test_rows_that_are_kept_are_not_kept_twice_unless_more_is_listed(atlas: Atlas):
    atlas.keep(keys(ROWS), measured(ROWS))
    first = contents(atlas.folder)
    again(atlas).keep(keys(ROWS), measured(ROWS, 5))
    assert contents(atlas.folder) == first
    assert not atlas.lookup(keys(ROWS), 20)[0].any()
    again(atlas).keep(keys(ROWS), measured(ROWS, 20))
    found, kept = atlas.lookup(keys(ROWS), 20)
    assert found.all()
    assert_same(kept, measured(ROWS, 20))
    assert atlas.lookup(keys(ROWS), 10_000)[0].any() == torch.tensor(False)
    atlas.keep(keys(ROWS), measured(ROWS, 10_000))
    assert_same(atlas.lookup(keys(ROWS), 10_000)[1], measured(ROWS, 61))


def test_no_changed_byte_changes_what_is_read(atlas: Atlas):
    atlas.keep(keys(ROWS), measured(ROWS))
    (path,) = atlas.folder.iterdir()
    good, truth = path.read_bytes(), measured(ROWS)
    some_found = 0
    for at in range(0, len(good), 17):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :])
        # Each row by itself: a row that was not damaged may be found.
        for row in range(0, len(ROWS), 3):
            found, kept = again(atlas).lookup(keys([ROWS[row]]), 10)
            if found.any():
                some_found += 1
                assert_same(kept, truth.at(slice(row, row + 1)))
        path.write_bytes(good)
    assert some_found


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_segment_cut_short_is_removed_and_its_rows_are_kept_anew(atlas: Atlas, part: float):
    atlas.keep(keys(ROWS), measured(ROWS))
    (path,) = atlas.folder.iterdir()
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    reader = again(atlas)
    assert not reader.lookup(keys(ROWS), 10)[0].any()
    assert not path.exists()
    reader.keep(keys(ROWS), measured(ROWS))
    assert_same(again(atlas).lookup(keys(ROWS), 10)[1], measured(ROWS))


def test_rows_that_another_process_removes_are_simply_not_found(atlas: Atlas):
    atlas.keep(keys(ROWS), measured(ROWS))
    reader = again(atlas)
    _, kept = reader.lookup(keys(ROWS), 10)
    for path in atlas.folder.iterdir():
        path.unlink()
    assert_same(kept, measured(ROWS))
    assert not reader.lookup(keys(ROWS), 10)[0].any()


def test_the_oldest_rows_of_any_model_are_removed_first(tmp_path: Path):
    like = ARCHITECTURE.unembedding[:0]

    def kept(folder: str, max_bytes: int) -> RowCache:
        return RowCache(tmp_path / folder, folder, like, 61, max_bytes)

    kept("a", 1 << 30).keep(keys(ROWS[:4]), measured(ROWS[:4]))
    size = 64 + sum(map(len, contents(tmp_path).values()))  # checksums have not all as many digits
    kept("b", 1 << 30).keep(keys(ROWS[:4]), measured(ROWS[:4]))
    kept("b", 2 * size).keep(keys(ROWS[4:8]), measured(ROWS[4:8]))
    assert not kept("a", 0).lookup(keys(ROWS), 10)[0].any()
    assert kept("b", 0).lookup(keys(ROWS), 10)[0].tolist() == [True] * 8 + [False] * 4
    kept("a", 2 * size).keep(keys(ROWS[:4]), measured(ROWS[:4]))
    assert kept("b", 0).lookup(keys(ROWS), 10)[0].tolist() == [False] * 4 + [True] * 4 + [False] * 4
    assert kept("a", 0).lookup(keys(ROWS), 10)[0].sum() == 4


def test_a_whole_atlas_is_no_part_of_what_is_bounded(atlas: Atlas):
    atlas.build()
    cache = RowCache(atlas.folder, "x", ARCHITECTURE.unembedding[:0], 61, 0)
    cache.keep(keys(ROWS), measured(ROWS))
    assert again(atlas).is_whole()
    assert not [name for name in contents(atlas.folder) if name.startswith("kept-")]


@pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_told_once_and_breaks_nothing(
    atlas: Atlas,
    failure: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    def fail(*_: object) -> int:
        raise OSError(failure, os.strerror(failure))

    atlas.keep(keys(ROWS[:4]), measured(ROWS[:4]))
    monkeypatch.setattr(row_cache, "write_segment", fail)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            atlas.keep(keys(ROWS), measured(ROWS))
    (record,) = caplog.records
    reason = os.strerror(failure).lower()
    assert record.getMessage() == (
        f"nothing is kept in the atlas, {atlas.folder}: {reason}; "
        "set VISIT_CACHE to a folder that can be written"
    )
    assert atlas.lookup(keys(ROWS), 10)[0].sum() == 4


def test_a_folder_that_is_none_breaks_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "file").write_text("in the way")
    atlas = atlas_of(ARCHITECTURE, tmp_path / "file")
    atlas.keep(keys(ROWS), measured(ROWS))
    assert "not a directory" in caplog.text
    assert not atlas.lookup(keys(ROWS), 10)[0].any()


def test_rows_and_what_was_measured_must_go_together(atlas: Atlas):
    with pytest.raises(ValueError, match="3 keys but 2 vectors measured"):
        atlas.keep(keys(ROWS[:3]), measured(ROWS[:2]))
    with pytest.raises(ValueError, match="a key is not 16 bytes long"):
        atlas.keep([b"short"], measured(ROWS[:1]))


# ---------------------------------------------------------------- the folder


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {"VISIT_CACHE": "/v"}, "/v/atlas"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/visit/atlas"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/u/.cache/visit/atlas"),
        ("linux", {}, "/home/u/.cache/visit/atlas"),
        ("darwin", {}, "/home/u/Library/Caches/visit/atlas"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/visit/atlas"),
        ("win32", {}, "/home/u/AppData/Local/visit/atlas"),
    ],
)
def test_the_cache_folder_is_where_the_platform_keeps_them(
    platform: str, environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("VISIT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**environment, "HOME": "/home/u"}.items():
        monkeypatch.setenv(name, value)
    # platformdirs chooses when it is imported, and asks Windows itself where the user's files are.
    directories = {"linux": unix.Unix, "darwin": macos.MacOS, "win32": windows.Windows}
    local = environment.get("LOCALAPPDATA", "/home/u/AppData/Local")
    monkeypatch.setattr(platformdirs, "PlatformDirs", directories[platform])
    monkeypatch.setattr(windows, "get_win_folder", {"CSIDL_LOCAL_APPDATA": local}.__getitem__)
    assert folders.cache_folder() == Path(folder)


def test_a_row_that_was_read_at_great_length_is_kept_at_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A trace that listed the whole vocabulary once made the atlas 250 times as large for good."""
    monkeypatch.setattr(row_cache, "MOST_LISTED_KEPT", 12)
    cache = RowCache(tmp_path / "a", "a", ARCHITECTURE.unembedding[:0], 61)
    assert cache.keep(keys(ROWS), measured(ROWS, 40))
    before = contents(tmp_path)
    found, kept = cache.lookup(keys(ROWS), 12)
    assert found.all()
    assert_same(kept, measured(ROWS, 12))
    assert not cache.lookup(keys(ROWS), 13)[0].any()
    assert cache.keep(keys(ROWS), measured(ROWS, 40))
    assert contents(tmp_path) == before
