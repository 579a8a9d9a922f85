"""A study on many machines: Ray Data hands its chunks to actors, one model each.

The driver, which is the process that was started, sends each chunk's prompts; an actor measures
them and writes the shard itself, to storage that all machines see. What comes back is only that it
is done. So a machine may go at any time: Ray gives its chunks to others, and a chunk that was
written before its machine went is found there and not measured again.
"""

from __future__ import annotations

import logging
import os
import pickle
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from visit.engine.progress import Progress, silent
from visit.errors import RequestError, VisitError
from visit.studies.folder import StudyFolder
from visit.studies.manifest import check_same_model
from visit.studies.measuring import measure_and_put
from visit.studies.model_spec import ModelSpec
from visit.studies.run import CHUNK, Plan, Ran, Run, begin_run, prepare
from visit.studies.study import Prompt, Study
from visit.studies.worker import Failed, ThereTraceback, Written
from visit.text import one_line

LOCAL = "local"
_LOOKS_EVERY = 0.5
"""Seconds between two looks whether the run was cancelled."""
_LEAVES_WITHIN = 10.0
"""Seconds that Ray Data has to stop before the connection is closed under it."""
_MOST_BLOCKS = 2_000
"""Blocks that Ray Data keeps account of; of more chunks, several make one."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What each actor has.

    Attributes:
        actors: How many there are at most; 0 for as many as the cluster has room for.
        gpus: How many GPUs each has, or which part of one; 0 to run on cores.
        cpus: How many cores each has, which are also its threads.
        store_bytes: The memory for what machines send each other, of a cluster that is started
            here; 0 for Ray's own choice.
    """

    actors: int = 0
    gpus: float = 0.0
    cpus: float = 1.0
    store_bytes: int = 0


def run_on_cluster(
    study: Study,
    prompts: Sequence[Prompt],
    model: ModelSpec,
    folder: str | Path,
    *,
    address: str = "auto",
    resources: Resources = Resources(),
    chunk: int = CHUNK,
    limit: int | None = None,
    prompts_name: str = "",
    command: str = "",
    progress: Progress = silent,
) -> Ran:
    """Measure what is not measured yet, as ``run_study`` does, on a Ray cluster.

    Args:
        study: What measures.
        prompts: Of what; each one's id is its place.
        model: The model, which each actor loads once.
        folder: Where the rows go: a folder that all machines see under this name.
        address: ``auto`` for the cluster that this machine is part of, ``local`` for one of this
            machine alone, or ``ray://HOST:10001``.
        resources: What each actor has.
        chunk: How many prompts are measured together and make one shard.
        limit: How many prompts to measure at least, the first ones; ``None`` for all.
        prompts_name: What the prompts are called, such as the file that they are of.
        command: What was typed, for the manifest.
        progress: As in ``run_study``.

    Raises:
        RequestError: as in ``run_study``; or ray is not installed, or no cluster is there.
        ModelError: the model cannot be loaded.
        OutputError: the folder cannot be written to.
    """
    plan = Plan(study, prompts, chunk, limit, prompts_name, command)
    _import_ray()
    place = Path(folder).absolute()
    with begin_run(plan, place, progress) as run:
        if run.todo or not run.is_prepared or not run.is_of(model):
            with _connected(address, resources):
                _measure(run, model, resources)
        return run.end()


def _import_ray() -> Any:
    # Ray reports its use to its makers unless it is told not to, and takes GPUs away from who asks
    # for none in a way that it warns of. Left to itself, what of it still runs once a study has
    # ended would connect again, and end this process with the cluster.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise RequestError(
            "a study on a cluster needs Ray: pip install 'visit-flow[cluster]'"
        ) from None
    return ray


@contextmanager
def _connected(address: str, resources: Resources) -> Iterator[None]:
    """A cluster to work on; one that the caller is connected to already is taken and left."""
    ray = _import_ray()
    if ray.is_initialized():
        yield
        return
    named: dict[str, Any] = {
        "address": address,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    if address == LOCAL:
        named |= {"include_dashboard": False}
        if resources.store_bytes:
            named["object_store_memory"] = resources.store_bytes
    try:
        ray.init(**named)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise RequestError(
            f"no Ray cluster answers at {address!r} ({one_line(str(error))[:200]}); start one with "
            "ray start --head, give ray://HOST:10001, or local for this machine"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _measure(run: Run, model: ModelSpec, resources: Resources) -> None:
    """Measure all chunks of a run."""
    ray = _import_ray()
    packed = ray.cloudpickle.dumps((run.plan.study, model))
    threads = max(1, int(resources.cpus))
    if not run.is_prepared or not run.todo:
        run.progress("loading the model on the cluster", 0.0)
        remote = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_calls=1)
        prompts = None if run.is_prepared else list(run.plan.prompts)
        asked = remote(_prepare).remote(packed, prompts, threads)
        while not ray.wait([asked], timeout=_LOOKS_EVERY)[0]:
            run.progress("preparing on the cluster", 0.0)
        info, prepared = _told(ray.get(asked))
        run.know(info)
        if prompts is not None:
            run.keep_prepared(prepared)
    if not run.todo:
        return
    run.pace.begin()
    with _quiet_data(ray):
        for written in _results(run, packed, resources, threads):
            run.count(written.number, written.layouts)
            run.pace.tell()


def _prepare(packed: bytes, prompts: Sequence[Prompt] | None, threads: int) -> Any:
    """What a task finds out first, on a machine of the cluster: of no prompts, the model alone."""
    try:
        study, model = pickle.loads(packed)
        engine = model.load(silent, threads)
        return engine.model, prompts and prepare(study, engine, prompts, silent)
    except Exception as error:
        return _failed(error)


class _Actor:
    """What measures chunks on a machine of the cluster, with a model of its own."""

    def __init__(self, packed: bytes, folder: str, threads: int) -> None:
        self._folder = StudyFolder(folder)
        self._trouble: Failed | None = None
        try:
            self._study, spec = pickle.loads(packed)
            self._engine = spec.load(silent, threads)
            self._check()
        except Exception as error:  # raised here, Ray would start actors again and again
            self._trouble = _failed(error)

    def _check(self) -> None:
        """Refuse to measure another model than the rest, and into a folder that is not theirs.

        Raises:
            RequestError: it would.
        """
        if not self._folder.has_manifest():
            raise RequestError(
                f"{self._folder.path} is not seen by every machine; give a folder on storage that "
                "all of them share"
            )
        kept = self._folder.manifest().model
        if kept is not None:
            check_same_model(self._folder.path, kept, self._engine.model)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Measure one chunk, and say that it is done."""
        (task,) = batch["task"]
        number, prompts = pickle.loads(task)
        return {"said": [pickle.dumps(self._measure(number, prompts))]}

    def _measure(self, number: int, prompts: Sequence[Prompt]) -> Written | Failed:
        if self._trouble is not None:
            return self._trouble
        if self._folder.shard(number).exists():  # its machine went before it could say so
            return Written(number, ())
        try:
            layouts = measure_and_put(self._study, self._engine, self._folder, number, prompts)
        except Exception as error:
            return _failed(error)
        return Written(number, layouts)


def _results(run: Run, packed: bytes, resources: Resources, threads: int) -> Iterator[Written]:
    """The chunks as they are done, in any order.

    Raises:
        VisitError: one cannot be measured, or the cluster cannot go on.
    """
    said: SimpleQueue[Any] = SimpleQueue()
    stop = threading.Event()
    dataset = _dataset(run, packed, resources, threads)

    def work() -> None:
        """Take in what comes, in a thread, since Ray waits without end."""
        try:
            for row in dataset.iter_rows():
                said.put(pickle.loads(row["said"]))
                if stop.is_set():
                    return
            said.put(None)
        except BaseException as error:
            said.put(error)

    left = set(run.todo)
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        while True:
            try:
                one = said.get(timeout=_LOOKS_EVERY)
            except Empty:
                run.pace.tell()
                continue
            if one is None:
                break
            if isinstance(one, BaseException):
                raise RequestError(
                    f"the cluster cannot go on ({type(one).__name__}: "
                    f"{one_line(str(one))[:200]}); run the study again, which goes on where it "
                    "stopped"
                ) from one
            done = _told(one)
            if done.number in left:  # what is measured again after a machine went counts once
                left.remove(done.number)
                run.todo.remove(done.number)
                yield done
    finally:
        stop.set()
        _end(dataset)
        worker.join(_LEAVES_WITHIN)


def _end(dataset: Any) -> None:
    """Stop what is under way, which Ray Data has no public way to do from another thread."""
    executor = getattr(dataset, "_current_executor", None)
    if executor is not None:
        with suppress(Exception):  # it is being thrown away, and says in what way in its own log
            executor.shutdown(force=True)


def _dataset(run: Run, packed: bytes, resources: Resources, threads: int) -> Any:
    """The chunks to do, and what is said of each once it is done."""
    ray = _import_ray()
    items = [
        {"task": pickle.dumps((number, list(run.plan.prompts_of(number))))} for number in run.todo
    ]
    most = resources.actors or _room(ray, resources)
    return ray.data.from_items(
        items, override_num_blocks=min(len(items), _MOST_BLOCKS)
    ).map_batches(
        _Actor,
        fn_constructor_kwargs={
            "packed": packed, "folder": str(run.folder.path), "threads": threads,
        },
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(
            min_size=1, max_size=max(1, min(most, len(items))), max_tasks_in_flight_per_actor=2
        ),
        num_cpus=resources.cpus,
        num_gpus=resources.gpus,
    )  # fmt: skip


def _room(ray: Any, resources: Resources) -> int:
    """How many actors the cluster has room for."""
    there = ray.cluster_resources()
    rooms = [
        there.get(name, 0.0) // each
        for name, each in (("CPU", resources.cpus), ("GPU", resources.gpus))
        if each
    ]
    count = int(min(rooms, default=1))
    if count < 1:
        raise RequestError(
            f"the cluster has {there.get('CPU', 0):g} cores and {there.get('GPU', 0):g} GPUs, and "
            f"each actor is to have {resources.cpus:g} and {resources.gpus:g}; give less"
        )
    return count


@contextmanager
def _quiet_data(ray: Any) -> Iterator[None]:
    """Keep Ray Data from drawing its own progress, and leave its settings as they were."""
    context, logger = ray.data.DataContext.get_current(), logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.ERROR)
    named = ("enable_progress_bars", "print_on_execution_start")
    before = {name: getattr(context, name) for name in named if hasattr(context, name)}
    for name in before:
        setattr(context, name, False)
    try:
        yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            setattr(context, name, value)


def _failed(error: Exception) -> Failed:
    """An error as it travels: whatever it is, it can be pickled."""
    trace = traceback.format_exc()
    if not isinstance(error, VisitError):
        error = RequestError(f"an actor failed: {type(error).__name__}: {one_line(str(error))}")
    return Failed(error, trace)


def _told(said: Any) -> Any:
    """What was said, unless it is that something failed.

    Raises:
        VisitError: it is.
    """
    if isinstance(said, Failed):
        raise said.error from ThereTraceback(said.trace)
    return said
