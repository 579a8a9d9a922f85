"""A server of the app in a process of its own, and what that process takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SERVE = "import sys; from visit.cli.main import main; sys.exit(main(['serve', *sys.argv[1:]]))"
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens: its address, and its process where that is on this machine."""

    url: str
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds: resident memory in MiB, threads, and processor seconds so far."""

    memory: float
    threads: int
    processor: float


@contextmanager
def served(*arguments: str) -> Iterator[Server]:
    """``visit serve`` on a free port of this machine, stopped at the end.

    Raises:
        RuntimeError: it does not come up; what it said is on stderr.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("visit: http://127.0.0.1:"):
            raise RuntimeError(f"the server did not come up; it said {line!r}")
        yield Server(line.removeprefix("visit: ").strip(), process.pid)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def footprint(pid: int) -> Footprint:
    """What a process of this machine holds now.

    Raises:
        OSError: there is no such process, or no ``/proc``.
    """
    said = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    # The name, in brackets, may hold spaces; user and system time are fields 14 and 15.
    counted = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(counted[11]) + int(counted[12])
    return Footprint(
        memory=int(said["VmRSS"].split()[0]) / 1024,
        threads=int(said["Threads"]),
        processor=ticks / os.sysconf("SC_CLK_TCK"),
    )


def end_on_sigterm() -> None:
    """Let a SIGTERM end this process as an exception does, so that its server is stopped too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
