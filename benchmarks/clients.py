"""Many researchers at once: ``python benchmarks/clients.py --clients 30 --seconds 300``.

Each client is a page without a browser (``page.py``) that traces, aims at other targets and
positions, opens blocks, inspects nodes, cancels, saves, reloads, and compares every answer with
what it asked (``client.py``). The server is the app with the bundled model in a process of its
own, whose memory is looked at every five seconds; with ``--url`` it is one that runs already on
this machine. Exits with 1 after an error, an answer that was another's, or too much growth.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import astuple, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from client import Client
from figures import growth, milliseconds, quantile, table
from server import Footprint, Server, end_on_sigterm, footprint, served

SAMPLE_EVERY = 5.0
WARM_UP = 60.0
MOST_GROWTH = 0.05
SHOWN = 20
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Load:
    """What a load test found.

    Attributes:
        seconds: How long it took.
        clients: Who took part, with what each saw.
        samples: The server's footprint by seconds from the start; none for an unknown process.
    """

    seconds: float
    clients: tuple[Client, ...]
    samples: tuple[tuple[float, Footprint], ...]

    @property
    def errors(self) -> list[str]:
        """What the server failed in, to all clients."""
        return [error for client in self.clients for error in client.errors]

    @property
    def crossings(self) -> list[str]:
        """Answers that were not the asker's own."""
        return [crossing for client in self.clients for crossing in client.crossings]

    @property
    def durations(self) -> dict[str, list[float]]:
        """How long the actions took that went well, in seconds, by their name."""
        names = sorted({name for client in self.clients for name in client.durations})
        return {
            name: [took for client in self.clients for took in client.durations.get(name, ())]
            for name in names
        }

    @property
    def growth(self) -> float | None:
        """By what part the memory grew after the warm-up; ``None`` where it cannot be known.

        From the median of the minute after the first minute to that of the last minute; a test
        shorter than five minutes has windows of a fifth of it.
        """
        window = min(WARM_UP, self.seconds / 5)
        samples = [(seconds, taken.memory) for seconds, taken in self.samples]
        try:
            return growth(samples, window, window)
        except ValueError:
            return None


async def load(server: Server, n_clients: int, seconds: float, think: float) -> Load:
    """Let clients work on a server for a while."""
    began = time.monotonic()
    clients = tuple(Client(number, server.url) for number in range(n_clients))
    samples: list[tuple[float, Footprint]] = []
    sampler = asyncio.create_task(_sample(server, samples, began))
    try:
        async with asyncio.timeout(seconds + 2 * clients[0].patience):
            await asyncio.gather(*(client.work(began + seconds, think) for client in clients))
    finally:
        sampler.cancel()
    return Load(time.monotonic() - began, clients, tuple(samples))


async def _sample(server: Server, samples: list[tuple[float, Footprint]], began: float) -> None:
    while server.pid is not None:
        try:
            samples.append((time.monotonic() - began, footprint(server.pid)))
        except OSError:
            return  # no such process, or no /proc: the clients go on without
        await asyncio.sleep(SAMPLE_EVERY)


def report(found: Load) -> str:
    """What was found, as Markdown."""
    n_actions = sum(map(len, found.durations.values()))
    rows = [
        (
            name,
            f"{len(took):,}",
            milliseconds(1000 * quantile(took, 0.5)),
            milliseconds(1000 * quantile(took, 0.95)),
            milliseconds(1000 * max(took)),
        )
        for name, took in found.durations.items()
    ]
    said = [
        f"{len(found.clients)} clients, {found.seconds:.0f} s, {n_actions:,} actions "
        f"({n_actions / found.seconds:.1f} a second)",
        "",
        table(("action", "times", "median", "p95", "longest"), rows),
        "",
        table(("measure", "target", "measured"), _verdicts(found)),
    ]
    for name, lines in (("errors", found.errors), ("crossed answers", found.crossings)):
        if lines:
            said += ["", f"{name}:", *(f"- {line}" for line in _most(lines))]
    unplayed = sorted({name for client in found.clients for name in client.unplayed})
    if unplayed:
        said += ["", "not played, being the browser's: " + ", ".join(unplayed)]
    return "\n".join(said)


def _verdicts(found: Load) -> list[tuple[str, str, str]]:
    rows = [
        ("errors", "0", str(len(found.errors))),
        ("crossed answers", "0", str(len(found.crossings))),
    ]
    if found.growth is not None:
        rows.append(("memory's growth", f"< {MOST_GROWTH:.0%}", f"{found.growth:+.1%}"))
    if found.samples:
        memory = [taken.memory for _, taken in found.samples]
        rows.append(("memory, first and most", "", f"{memory[0]:.0f}, {max(memory):.0f} MiB"))
        rows.append(("threads, most", "", str(max(taken.threads for _, taken in found.samples))))
        used = found.samples[-1][1].processor - found.samples[0][1].processor
        n_actions = sum(map(len, found.durations.values()))
        rows.append(("processor time an action", "", f"{1000 * used / max(n_actions, 1):.0f} ms"))
    return rows


def _most(lines: Sequence[str]) -> list[str]:
    """The most frequent lines of all clients."""
    counted = Counter(line.split(", ", 1)[1] for line in lines)
    shown = [f"{count} × {line}" for line, count in counted.most_common(SHOWN)]
    more = len(counted) - len(shown)
    return [*shown, f"and {more} other kinds"] if more > 0 else shown


def data(found: Load) -> dict[str, object]:
    """What was found, for a file."""
    return {
        "clients": len(found.clients),
        "seconds": round(found.seconds, 1),
        "durations": found.durations,
        "errors": found.errors,
        "crossings": found.crossings,
        "growth": found.growth,
        "samples": [(seconds, *astuple(taken)) for seconds, taken in found.samples],
    }


def main() -> int:
    """Run the test that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=30, metavar="N")
    parser.add_argument("--seconds", type=float, default=300.0, metavar="S")
    parser.add_argument(
        "--think", type=float, default=1.0, metavar="S", help="mean pause between two actions"
    )
    parser.add_argument("--url", help="a server on this machine; starts its own when left out")
    parser.add_argument("--pid", type=int, help="that server's process, to watch its memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go, too")
    asked = parser.parse_args()
    end_on_sigterm()
    if asked.url and urlsplit(asked.url).hostname not in LOOPBACK:
        parser.error(f"{asked.url} is not on this machine; a load test stays on 127.0.0.1")
    if asked.clients < 1 or asked.seconds <= 0 or asked.think < 0:
        parser.error("--clients and --seconds must be positive, --think not negative")
    running = nullcontext(Server(asked.url.rstrip("/"), asked.pid)) if asked.url else served()
    with running as server:
        found = asyncio.run(load(server, asked.clients, asked.seconds, asked.think))
    print(report(found))
    if asked.json:
        asked.json.write_text(json.dumps(data(found)) + "\n")
    grew = found.growth is not None and found.growth >= MOST_GROWTH
    return 1 if found.errors or found.crossings or grew else 0


if __name__ == "__main__":
    sys.exit(main())
