import os
import stat
from pathlib import Path

import pytest

from visit.errors import OutputError
from visit.formats.files import cache_folder, check_writable, write_whole


def test_what_is_written_is_there_whole_and_alone(tmp_path: Path):
    path = tmp_path / "out.txt"
    write_whole(path, "日本\n")
    write_whole(path, "shorter")
    assert path.read_bytes() == b"shorter"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_mode_that_the_umask_asks_for(tmp_path: Path):
    (tmp_path / "plain").write_text("")
    write_whole(tmp_path / "out", "")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_that_was_there_keeps_its_mode(tmp_path: Path):
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o600)
    write_whole(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_whole(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_device_is_written_to_and_never_replaced():
    check_writable(os.devnull)
    write_whole(os.devnull, "gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_what_was_there_and_nothing_else(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if step == "fsync" else Path, step, fail)
    with pytest.raises(OutputError, match=r"out\.txt cannot be written: no space left on device"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "out.txt", "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("act", [check_writable, lambda path: write_whole(path, "")])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone/out.txt", "no such file or directory"),
        ("file/out.txt", "not a directory"),
        ("", "is a directory"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(act, name: str, reason: str, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=f"cannot be written: {reason}; choose another file"):
        act(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_checking_a_place_leaves_it_as_it_was(tmp_path: Path):
    check_writable(tmp_path / "new.txt")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old.txt").write_text("old")
    check_writable(tmp_path / "old.txt")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_cache_folder_in_the_home_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VISIT_CACHE", "~nosuchuser/x")
    with pytest.raises(OutputError, match="VISIT_CACHE is '~nosuchuser/x', in the home of a user"):
        cache_folder()
