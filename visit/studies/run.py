"""A run of a study, wherever its chunks are measured: what is to do, and what is known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from visit import __version__
from visit.engine.progress import Progress
from visit.engine.protocol import Engine
from visit.errors import RequestError, VisitError
from visit.graph.flow import ModelInfo
from visit.studies.folder import StudyFolder
from visit.studies.loading import source_of
from visit.studies.manifest import (
    Layout,
    Manifest,
    PromptsRead,
    check_same_model,
    check_same_run,
    digest_prompts,
    is_same_model,
    is_same_run,
)
from visit.studies.measuring import broken_in_preparing
from visit.studies.model_spec import ModelSpec
from visit.studies.pace import Pace
from visit.studies.rows import Prepared
from visit.studies.shards import Failure
from visit.studies.study import Prompt, Study

CHUNK = 64
"""Prompts that are measured together, as far as memory allows, and make one shard."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured.

    Attributes:
        study: What measures.
        prompts: Of what; each one's id is its place.
        chunk: How many make a shard. Which prompts are measured together depends on it alone.
        limit: How many prompts to measure at least, the first ones; the last chunk of these is
            measured whole. ``None`` for all.
        prompts_name: What the prompts are called, such as the file that they are of.
        command: What was typed.

    Raises:
        RequestError: there is no prompt, or one names no answer though the study needs it.
        ValueError: an id is not its place, or a number is not positive.
    """

    study: Study
    prompts: Sequence[Prompt]
    chunk: int = CHUNK
    limit: int | None = None
    prompts_name: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        if self.chunk < 1 or (self.limit is not None and self.limit < 0):
            raise ValueError(f"chunk is {self.chunk} and limit {self.limit}; give positive numbers")
        if not self.prompts:
            raise RequestError("there is no prompt to measure; give at least one")
        for place, one in enumerate(self.prompts):
            if one.id != place:
                raise ValueError(f"prompt {one.id} is at place {place}; its id must be its place")
            if self.study.needs_targets and not one.target:
                raise RequestError(
                    f"the prompt in line {one.line} names no answer, which the study "
                    f"{self.study.name!r} needs of each; give a file with a column target, or name "
                    "its column with --target-column"
                )

    @property
    def numbers(self) -> range:
        """The chunks to measure, those that are done among them."""
        count = len(self.prompts) if self.limit is None else min(self.limit, len(self.prompts))
        return range(-(-count // self.chunk))

    def prompts_of(self, number: int) -> Sequence[Prompt]:
        """The prompts of a chunk."""
        return self.prompts[number * self.chunk : (number + 1) * self.chunk]

    def manifest(self) -> Manifest:
        """What is known of it before the model is loaded."""
        source = source_of(self.study)
        return Manifest(
            visit_version=__version__,
            study=self.study.name,
            study_version=self.study.version,
            options=dict(self.study.options),
            prompts=PromptsRead(self.prompts_name, len(self.prompts), digest_prompts(self.prompts)),
            chunk=self.chunk,
            command=self.command,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            sources=() if source is None else (source.sha256,),
        )


@dataclass(frozen=True, slots=True)
class Ran:
    """What there is after a run.

    Attributes:
        folder: Where the rows are.
        n: How many prompts are measured, by this run and earlier ones.
        failed: Those that could not be, by whatever run.
        n_left: How many are not yet.
        n_new: How many prompts this run went through.
        seconds: How long it measured.
    """

    folder: Path
    n: int
    failed: tuple[Failure, ...]
    n_left: int
    n_new: int
    seconds: float

    @property
    def n_failed(self) -> int:
        """How many prompts could not be measured."""
        return len(self.failed)


class Run:
    """A run under way, in the process that hands out its chunks.

    Attributes:
        plan: What is to be measured.
        folder: Where the rows go.
        todo: The chunks that nobody measures yet, in order.
    """

    def __init__(self, plan: Plan, folder: StudyFolder, progress: Progress) -> None:
        self.plan = plan
        self.folder = folder
        self.progress = progress
        self._wanted = plan.manifest()
        self._kept = folder.manifest() if folder.has_manifest() else None
        if self._kept is not None and folder.shards():
            check_same_run(folder.path, self._kept, self._wanted)
        elif self._kept is not None and not is_same_run(self._kept, self._wanted):
            self._kept = None  # it has no rows, so there is nothing to mix these with
        done = folder.shards().keys() & set(plan.numbers)
        self.todo = [number for number in plan.numbers if number not in done]
        n_done = sum(len(plan.prompts_of(number)) for number in done)
        n_prompts = sum(len(plan.prompts_of(number)) for number in plan.numbers)
        self.pace = Pace(n_prompts, n_done, progress)
        self._n_before = n_done

    @property
    def manifest(self) -> Manifest:
        """What the folder says, or will say."""
        return self._kept or self._wanted

    def know(self, model: ModelInfo) -> None:
        """Take note of the model that was loaded.

        Raises:
            RequestError: the rows that are there are another's.
        """
        kept = self.manifest
        if kept.model is not None and self.folder.shards():
            check_same_model(self.folder.path, kept.model, model)
        elif kept.model is not None and not is_same_model(kept.model, model):
            kept = self._wanted  # as above
        sources = tuple(dict.fromkeys((*kept.sources, *self._wanted.sources)))
        self._keep(replace(kept, model=kept.model or model, sources=sources))

    def is_of(self, model: ModelSpec) -> bool:
        """Whether the rows are of a model, as far as its name and its numbers tell.

        Of another name it may still be the same: only its weights tell.
        """
        kept = self.manifest.model
        if kept is None or (kept.quantized is None) != (model.quant is None):
            return False
        return (kept.name, kept.dtype) == (model.name, model.dtype)

    @property
    def is_prepared(self) -> bool:
        """Whether the study has found out what it needs before the first row."""
        return self.manifest.prepared is not None

    def keep_prepared(self, prepared: Prepared) -> None:
        """Keep what the study found out before the first row."""
        self._keep(replace(self.manifest, prepared=prepared))

    def count(self, number: int, layouts: tuple[Layout, ...]) -> None:
        """Take note of a chunk whose shard is written."""
        if layouts and not self.manifest.columns:
            self._keep(replace(self.manifest, columns=layouts))
        self.pace.n_done += len(self.plan.prompts_of(number))

    def end(self) -> Ran:
        """Join what the shards say."""
        n, failures = self.folder.join_errors()
        total = len(self.plan.prompts)
        return Ran(
            self.folder.path,
            n,
            failures,
            total - n - len(failures),
            self.pace.n_done - self._n_before,
            self.pace.seconds,
        )

    def _keep(self, manifest: Manifest) -> None:
        if manifest != self._kept:
            self.folder.keep(manifest)
            self._kept = manifest


@contextmanager
def begin_run(plan: Plan, folder: str | Path, progress: Progress) -> Iterator[Run]:
    """A run that has its folder to itself; however it ends, the errors so far are joined.

    Raises:
        RequestError: the folder holds something else, or another run is at it.
        OutputError: it cannot be written to.
    """
    place = StudyFolder(folder)
    with place.alone():
        run = Run(plan, place, progress)
        try:
            yield run
        except BaseException:
            place.sweep()
            if run.is_prepared:
                with suppress(VisitError):  # what ended the run is what the user is told
                    place.join_errors()
            raise


def prepare(
    study: Study, engine: Engine, prompts: Sequence[Prompt], progress: Progress
) -> Mapping[str, object]:
    """What a study finds out before the first row, as the manifest will give it back.

    Raises:
        StudyBroken: its code failed, or found what is no plain data.
        VisitError: what it asked cannot be answered.
    """
    stopped: list[BaseException] = []

    def tell(stage: str, part: float) -> None:
        try:
            progress(stage, part)
        except BaseException as error:
            stopped.append(error)
            raise

    try:
        found = study.prepare(engine, prompts, tell)
        plain: Mapping[str, object] = json.loads(json.dumps(dict(found), allow_nan=False))
        return plain
    except VisitError:
        raise
    except Exception as error:
        if stopped:
            raise
        raise broken_in_preparing(study, error) from error
