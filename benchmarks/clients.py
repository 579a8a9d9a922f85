"""Many researchers at once: ``python benchmarks/clients.py --clients 30 --seconds 300``.

Each client is a page without a browser (``page.py``) that traces, aims at other targets and
positions, opens blocks, inspects nodes, cancels, saves, reloads, and compares every answer with
what it asked (``client.py``). The server is the app with the bundled model in a process of its
own, whose memory is looked at every five seconds; with ``--url`` it is one that runs already on
this machine. With ``--crossing`` each client asks two models in turns; with ``--queued 200`` and
``--flood 10000`` it is measured afterwards what others notice of a busy server (``queued.py``).
Exits with 1 after an error, an answer that was another's, a time over its limit, or too much
growth.
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
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from client import Client
from figures import growth, milliseconds, quantile, table
from queued import Busy, health_in_a_flood, tap_while_traces_wait
from second import save_second_model
from server import Footprint, Server, end_on_sigterm, footprint, served

SAMPLE_EVERY = 5.0
WINDOW = 60.0
MOST_GROWTH = 0.05
MOST_INSPECT = 1.0
"""Seconds that 95 of 100 inspections may take while others' traces wait."""
SHOWN = 20
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Load:
    """What a load test found.

    Attributes:
        seconds: How long it took.
        clients: Who took part, with what each saw.
        samples: The server's footprint by seconds from the start; none for an unknown process.
        busy: What others noticed of a server that was kept busy.
    """

    seconds: float
    clients: tuple[Client, ...]
    samples: tuple[tuple[float, Footprint], ...]
    busy: tuple[Busy, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether nothing went wrong or took too long."""
        grew = self.growth is not None and self.growth >= MOST_GROWTH
        slow = any(max(one.took) > one.most for one in self.busy)
        inspected = self.durations.get("inspect node")
        slow |= inspected is not None and quantile(inspected, 0.95) > MOST_INSPECT
        return not (self.errors or self.crossings or grew or slow)

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
        """By what part the memory grew in the second half; ``None`` where it cannot be known.

        In the first half what the server keeps fills, up to its bounds (docs/serving.md): some 240
        graphs, which 30 clients ask for in two minutes. From the median of the minute after that to
        that of the last minute; a test shorter than five minutes has windows of a fifth of it.
        """
        window = min(WINDOW, self.seconds / 5)
        samples = [(seconds, taken.memory) for seconds, taken in self.samples]
        try:
            return growth(samples, self.seconds / 2, window)
        except ValueError:
            return None


async def load(
    server: Server,
    n_clients: int,
    seconds: float,
    think: float,
    models: Sequence[str] = (),
    n_queued: int = 0,
    n_flood: int = 0,
) -> Load:
    """Let clients work on a server for a while, then keep it busy."""
    began = time.monotonic()
    digests: dict[str, str] = {}
    clients = tuple(
        Client(number, server.url, models=tuple(models), digests=digests)
        for number in range(n_clients)
    )
    samples: list[tuple[float, Footprint]] = []
    sampler = asyncio.create_task(_sample(server, samples, began))
    try:
        async with asyncio.timeout(seconds + 2 * clients[0].patience):
            await asyncio.gather(*(client.work(began + seconds, think) for client in clients))
    finally:
        sampler.cancel()
    took = time.monotonic() - began
    busy = []
    if n_queued:
        busy.append(await tap_while_traces_wait(server.url, n_queued))
    if n_flood:
        busy.append(await health_in_a_flood(server.url, n_flood))
    return Load(took, clients, tuple(samples), tuple(busy))


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
    inspected = found.durations.get("inspect node")
    if inspected:
        said = milliseconds(1000 * quantile(inspected, 0.95))
        rows.append(("inspect node, p95", f"≤ {1000 * MOST_INSPECT:.0f} ms", said))
    for busy in found.busy:
        longest = milliseconds(1000 * max(busy.took))
        what = f"{busy.action}, the longest of {len(busy.took)}, while {busy.name}"
        rows.append((what, f"≤ {1000 * busy.most:.0f} ms", longest))
    if found.growth is not None:
        rows.append(
            ("memory's growth in the second half", f"< {MOST_GROWTH:.0%}", f"{found.growth:+.1%}")
        )
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
        "busy": [astuple(one) for one in found.busy],
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
    parser.add_argument(
        "--crossing", action="store_true", help="ask two models in turns, the second made for this"
    )
    parser.add_argument(
        "--queued", type=int, default=0, metavar="N", help="then tap while N traces wait"
    )
    parser.add_argument(
        "--flood", type=int, default=0, metavar="N", help="then ask /health while N callbacks come"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go, too")
    asked = parser.parse_args()
    end_on_sigterm()
    if asked.url and urlsplit(asked.url).hostname not in LOOPBACK:
        parser.error(f"{asked.url} is not on this machine; a load test stays on 127.0.0.1")
    if asked.clients < 1 or asked.seconds <= 0 or asked.think < 0:
        parser.error("--clients and --seconds must be positive, --think not negative")
    with TemporaryDirectory() as folder:
        models = ("mini", save_second_model(Path(folder))) if asked.crossing else ()
        running = nullcontext(Server(asked.url.rstrip("/"), asked.pid)) if asked.url else served()
        with running as server:
            found = asyncio.run(
                load(
                    server,
                    asked.clients,
                    asked.seconds,
                    asked.think,
                    models,
                    asked.queued,
                    asked.flood,
                )
            )
    print(report(found))
    if asked.json:
        asked.json.write_text(json.dumps(data(found)) + "\n")
    return 0 if found.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
