"""A process that measures chunks for another one, and what the two say to each other.

A worker loads the model once, then measures what it is told to and writes the shards itself. One
that loses its parent, killed maybe, ends at once: it would write into a folder whose next run may
have begun.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from time import perf_counter
from typing import Any

from visit.engine.progress import Progress
from visit.errors import RequestError, VisitError
from visit.graph.flow import ModelInfo
from visit.studies.folder import StudyFolder
from visit.studies.manifest import Layout
from visit.studies.measuring import measure_and_put
from visit.studies.model_spec import OneModel
from visit.studies.rows import Prepared
from visit.studies.run import prepare
from visit.studies.study import Prompt, Study
from visit.text import one_line

SPEAKS_EVERY = 0.2
"""Seconds between two words of a worker on how far it is."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Asks a worker for what the study finds out first."""

    prompts: Sequence[Prompt]


@dataclass(frozen=True, slots=True)
class Measure:
    """Asks a worker for a chunk."""

    number: int
    prompts: Sequence[Prompt]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A worker has its model."""

    model: ModelInfo


@dataclass(frozen=True, slots=True)
class Found:
    """A worker knows what the study finds out first."""

    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Told:
    """How far a worker is with what it does."""

    stage: str
    part: float


@dataclass(frozen=True, slots=True)
class Written:
    """A worker has written a chunk's shard."""

    number: int
    layouts: tuple[Layout, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker cannot go on."""

    error: VisitError
    trace: str


class ThereTraceback(Exception):
    """Where it happened, in another process: the cause of the error that is raised here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def serve(connection: Connection, packed: bytes, folder: str, threads: int) -> None:
    """What a worker does, from its start to its end.

    Args:
        connection: The way to its parent.
        packed: The study and the model, pickled.
        folder: Where shards go.
        threads: How many threads compute.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends its workers
    line = _Line(connection)
    try:
        study, model = pickle.loads(packed)
        engine = model.load(line.tell, threads)
        line.say(Loaded(engine.model))
        while (task := line.tasks.get()) is not None:
            line.say(_do(task, study, engine, StudyFolder(folder), line.tell))
    except Exception as error:
        trace = traceback.format_exc()
        if not isinstance(error, VisitError):
            error = RequestError(f"a worker failed: {type(error).__name__}: {one_line(str(error))}")
        line.say(Failed(error, trace))
        line.tasks.get()  # until the parent has heard it
    # Its shards are on the disk, and its memory goes with it: to take a model apart takes seconds.
    for stream in (sys.stdout, sys.stderr):  # what a study of the user's own has printed
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(0)


def _do(
    task: Prepare | Measure, study: Study, engine: OneModel, folder: StudyFolder, tell: Progress
) -> Found | Written:
    if isinstance(task, Prepare):
        return Found(prepare(study, engine, task.prompts, tell))
    layouts = measure_and_put(study, engine, folder, task.number, task.prompts, tell)
    return Written(task.number, layouts)


class _Line:
    """The way to the parent.

    Attributes:
        tasks: What it asks for; ``None`` for nothing more.
    """

    def __init__(self, connection: Connection) -> None:
        self.tasks: SimpleQueue[Any] = SimpleQueue()
        self._connection = connection
        self._speaking = threading.Lock()
        self._spoke = 0.0
        threading.Thread(target=self._receive, daemon=True).start()

    def say(self, said: object) -> None:
        """Tell the parent."""
        with self._speaking:
            self._connection.send(said)

    def tell(self, stage: str, part: float) -> None:
        """Tell the parent how far it is, now and then."""
        if perf_counter() - self._spoke >= SPEAKS_EVERY:
            self._spoke = perf_counter()
            self.say(Told(stage, part))

    def _receive(self) -> None:
        """Take tasks in; the process ends with its parent, in the midst of work."""
        while True:
            try:
                self.tasks.put(self._connection.recv())
            except (EOFError, OSError):
                os._exit(1)
