"""Several processes that measure the chunks of a run.

They are spawned, since a process that has run a model cannot be forked safely. The parent hands out
chunks over a pipe a worker, and hears back what is done. Plain processes rather than a pool of
``concurrent.futures``: that one does not say who died nor of what, tells no progress, and cannot
end work that has begun.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from visit.errors import RequestError, VisitError
from visit.studies.model_spec import ModelSpec
from visit.studies.run import Run
from visit.studies.worker import (
    Failed,
    Found,
    Loaded,
    Measure,
    Prepare,
    ThereTraceback,
    Told,
    Written,
    serve,
)
from visit.text import one_line

_LOOKS_EVERY = 0.2
"""Seconds between two looks whether the run was cancelled."""
_LEAVES_WITHIN = 5.0
"""Seconds that a worker has to end before it is killed."""


class WorkerLost(VisitError):
    """A worker died before its work was done."""


def measure_with_workers(run: Run, model: ModelSpec, count: int) -> None:
    """Have processes measure all chunks of a run.

    Raises:
        VisitError: a worker met an error that ends the run, or died.
    """
    with _crew(run, model, min(count, len(run.todo))) as crew:
        crew.measure()


@dataclass(slots=True)
class _Worker:
    """A worker, as its parent sees it.

    Attributes:
        process: It.
        connection: The way to it.
        is_ready: Whether it has loaded its model and waits.
        size: How many prompts are in the chunk that it measures.
        part: How much of that is done.
    """

    process: BaseProcess
    connection: Connection
    is_ready: bool = False
    size: int = 0
    part: float = 0.0


class _Crew:
    """The workers of a run."""

    def __init__(self, run: Run, workers: Sequence[_Worker]) -> None:
        self._run = run
        self._by_connection = {one.connection: one for one in workers}
        self._workers = workers
        self._is_preparing = False
        self._n_under_way = 0
        self._n_heard = 0
        self._stage = ""

    def measure(self) -> None:
        """Hand out chunks until all are done."""
        run = self._run
        while run.todo or self._n_under_way or not run.is_prepared:
            for ready in wait([*self._by_connection], timeout=_LOOKS_EVERY):
                worker = self._by_connection[ready]  # type: ignore[index]  # they are connections
                self._hear(worker)
            self._hand_out()
            self._tell()
        run.pace.tell()

    def _hear(self, worker: _Worker) -> None:
        """Take what a worker says.

        Raises:
            VisitError: it failed, or died.
        """
        run = self._run
        try:
            said = worker.connection.recv()
        except (EOFError, OSError):
            raise self._lost(worker) from None
        self._n_heard += 1
        match said:
            case Loaded(model):
                run.know(model)
                worker.is_ready = True
            case Found(found):
                run.keep_prepared(found)
                self._is_preparing, worker.is_ready = False, True
            case Told(stage, part):
                self._stage, worker.part = stage, part
            case Written(number, layouts):
                run.count(number, layouts)
                self._n_under_way -= 1
                worker.is_ready, worker.size, worker.part = True, 0, 0.0
            case Failed(error, trace):
                raise error from ThereTraceback(trace)

    def _hand_out(self) -> None:
        """Give whoever waits something to do."""
        run = self._run
        for worker in self._workers:
            if not worker.is_ready:
                continue
            if not run.is_prepared:
                if not self._is_preparing:
                    self._send(worker, Prepare(run.plan.prompts))
                    self._is_preparing = True
            elif run.todo:
                number = run.todo.pop(0)
                prompts = run.plan.prompts_of(number)
                if run.pace.is_waiting:
                    run.pace.begin()
                self._send(worker, Measure(number, prompts))
                worker.size = len(prompts)
                self._n_under_way += 1

    def _send(self, worker: _Worker, task: Prepare | Measure) -> None:
        try:
            worker.connection.send(task)
        except OSError:
            raise self._lost(worker) from None
        worker.is_ready = False

    def _tell(self) -> None:
        """Say how far all of them are; what is raised there ends the run."""
        if self._run.pace.is_waiting:
            self._run.progress(self._stage or "starting workers", 0.0)
        else:
            self._run.pace.tell(sum(one.part * one.size for one in self._workers))

    def _lost(self, worker: _Worker) -> WorkerLost:
        worker.process.join(_LEAVES_WITHIN)
        code = worker.process.exitcode
        how = f"ended with exit code {code}"
        advice = "run the study again, which goes on where it stopped"
        if code is not None and code < 0:
            with suppress(ValueError):
                how = f"was ended by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            how += ", as where memory runs out"
            advice += "; fewer workers or a smaller chunk take less memory"
        elif not self._n_heard:
            advice += "; a script keeps its work under if __name__ == '__main__'"
        return WorkerLost(f"a worker {how}; what it had written stays: {advice}")


@contextmanager
def _crew(run: Run, model: ModelSpec, count: int) -> Iterator[_Crew]:
    """Workers that are there, and gone afterwards."""
    try:
        packed = pickle.dumps((run.plan.study, model))
    except Exception as error:  # a pickler raises what it likes
        raise RequestError(
            f"study {run.plan.study.name!r} cannot be sent to workers ({one_line(str(error))}); "
            "define it in a module or a file of its own, or run it without workers"
        ) from error
    context, workers = get_context("spawn"), list[_Worker]()
    threads = max(1, _n_cores() // count)
    try:
        for place in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=serve,
                args=(theirs, packed, str(run.folder.path), threads),
                name=f"visit study worker {place}",
                daemon=True,
            )
            with _unheard_interrupt():
                process.start()
            theirs.close()  # or its end would not be known by the pipe's
            workers.append(_Worker(process, ours))
        yield _Crew(run, workers)
        for worker in workers:
            with suppress(OSError):
                worker.connection.send(None)
            worker.process.join(_LEAVES_WITHIN)
    finally:
        _end(workers)


def _end(workers: Sequence[_Worker]) -> None:
    """Have nobody left, whatever they were at; a shard that they were writing is not there."""
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(_LEAVES_WITHIN)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.connection.close()
        worker.process.close()


def _n_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _unheard_interrupt() -> Iterator[None]:
    """Have a process that is started not hear Ctrl-C: its parent does, and ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
