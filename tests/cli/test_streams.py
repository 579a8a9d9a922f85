"""Standard streams that are closed or full, and Ctrl + C: an exit code, and no traceback."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from flow_strategies import small_flow

from visit.cli.main import COMMANDS, main
from visit.cli.options import Command, add_nothing
from visit.cli.streams import write_result
from visit.errors import OutputError
from visit.formats.document import write_flow

ROOT = Path(__file__).parents[2]
PROGRAM = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]["visit"]
START = "import sys; from {} import {} as main; sys.exit(main())".format(*PROGRAM.split(":"))


def run(script: str, folder: Path, code: str = START) -> subprocess.CompletedProcess[str]:
    """The program as ``visit`` in a shell's script."""
    shell = shutil.which("sh")
    assert shell is not None
    return subprocess.run(
        [shell, "-c", f'visit() {{ "{sys.executable}" -c "$CODE" "$@"; }}; {script}'],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CODE": code},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    write_flow(small_flow(), folder / "g.json")
    return folder


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("visit export g.json --to csv >&-", "bad file descriptor"),
        ("visit export g.json --to csv >/dev/full", "no space left on device"),
        ("visit -h >/dev/full", "no space left on device"),
    ],
)
def test_an_output_that_takes_nothing_is_one_line(script: str, reason: str, folder: Path):
    done = run(script, folder)
    line = f"visit: standard output cannot be written: {reason}; send it elsewhere\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("visit --nope 2>&-", 2),
        ("visit export none.json --to csv 2>/dev/full", 2),
        ("visit export g.json --to csv -o g.csv <&- 2>&-", 0),
    ],
)
def test_an_exit_code_says_it_where_no_line_can(script: str, code: int, folder: Path):
    done = run(script, folder)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout == ("" if code else "g.nodes.csv\ng.edges.csv\n")


def test_a_file_never_takes_a_closed_streams_number(folder: Path):
    """Or what is said on standard error would be written into it."""
    code = (
        "from visit.cli.streams import open_closed_streams; open_closed_streams(); import sys; "
        "opened = open('new', 'w'); print('lost', file=sys.stderr); sys.exit(opened.fileno() < 3)"
    )
    assert run("visit <&- >&- 2>&-", folder, code).returncode == 0
    assert (folder / "new").read_text() == ""


def test_a_document_that_does_not_fit_is_not_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch):
    for result in ("x", "x" * 100_000, b"x", b"x" * 100_000):
        full = io.TextIOWrapper(io.FileIO(os.open("/dev/full", os.O_WRONLY), "w"))
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OutputError, match=r"^standard output cannot be written: no space left"):
            write_result(result)
        full.close()  # as Python does in the end: what is left goes nowhere


def test_an_interruption_in_the_first_import_is_quiet(folder: Path):
    code = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'visit.cli.main': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    done = run("visit -h", folder, code + START)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_interruption_that_a_library_takes_for_its_own_error_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Python turns Ctrl + C in the making of a class into a RuntimeError."""

    def import_interrupted(_arguments: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interruption:
            raise RuntimeError("Error calling __set_name__") from interruption

    monkeypatch.setitem(COMMANDS, "models", Command("x", add_nothing, import_interrupted))
    assert main(["models"]) == 130
    assert capsys.readouterr() == ("", "")
