"""One chunk measured, come what may: prompts that fail are told apart from studies that are broken.

What fails **of a prompt** (a ``VisitError``, such as a text that is too long, or memory that runs
out) must not cost its neighbours: the chunk is halved and each half tried again, down to the prompt
that fails by itself, whose reason is kept. Where memory ran out, its neighbours then fit.

What fails **of the study** (any other exception) ends the run. It is a mistake in code, which says
nothing of the prompt: to leave such rows out would make the figures those of the prompts on which
the mistake does not show, and no reader could tell. So whoever wrote the study is told at once
which prompt it breaks at, mends it, and goes on: the chunks that are measured stay.
"""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace

from visit.engine.progress import Progress, silent
from visit.engine.protocol import Engine
from visit.errors import Cancelled, RequestError, VisitError
from visit.graph.studied.columns import Surveyed, Unmeasured, join_surveyed
from visit.studies.folder import StudyFolder
from visit.studies.manifest import Layout
from visit.studies.rows import Prepared
from visit.studies.shards import bytes_from_surveyed, layouts_of
from visit.studies.study import Prompt, Study
from visit.text import one_line, shorten

_WIDTH = 200
"""Columns of an exception's text that an error shows; the rest is in its traceback."""


class StudyBroken(RequestError):
    """The study's own code failed, or does not keep to what a study is."""


def measure_chunk(
    study: Study,
    engine: Engine,
    prompts: Sequence[Prompt],
    prepared: Prepared,
    progress: Progress = silent,
) -> Surveyed:
    """What a study measures of a chunk, and why not of the rest.

    Raises:
        StudyBroken: the study's own code failed; the text names the prompt.
        Cancelled: the work was cancelled.
    """
    return _Chunk(study, engine, prompts, prepared, progress).measure()


def measure_and_put(
    study: Study,
    engine: Engine,
    folder: StudyFolder,
    number: int,
    prompts: Sequence[Prompt],
    progress: Progress = silent,
) -> tuple[Layout, ...]:
    """Measure a chunk and write its shard.

    Args:
        study: What measures.
        engine: What it asks.
        folder: Where the shard goes; its manifest says what was prepared.
        number: The chunk's.
        prompts: The chunk's.
        progress: Told the part that is done.

    Returns:
        How its columns lie; nothing where no prompt could be measured.

    Raises:
        StudyBroken: as in ``measure_chunk``, or the chunk has other columns than those before.
        OutputError: the shard cannot be written.
        Cancelled: the work was cancelled.
    """
    manifest = folder.manifest()
    surveyed = measure_chunk(study, engine, prompts, manifest.prepared or {}, progress)
    try:
        layouts = layouts_of(surveyed)
        content = bytes_from_surveyed(surveyed, prompts)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise _broken(study, f"gives columns that cannot be kept: {error}") from error
    if layouts and manifest.columns and layouts != manifest.columns:
        raise _broken(
            study,
            f"gives prompts {prompts[0].id} to {prompts[-1].id} other columns than those before: "
            f"{_first_other(layouts, manifest.columns)}; each prompt must have the same",
        )
    folder.put(number, content)
    return layouts


class _Chunk:
    """A chunk that is being measured."""

    def __init__(
        self,
        study: Study,
        engine: Engine,
        prompts: Sequence[Prompt],
        prepared: Prepared,
        progress: Progress,
    ) -> None:
        self._study = study
        self._engine = engine
        self._prompts = prompts
        self._prepared = prepared
        self._progress = progress
        self._parts: list[Surveyed] = []
        self._failed: list[Unmeasured] = []
        self._stopped = False

    def measure(self) -> Surveyed:
        """All of it."""
        self._measure(0, len(self._prompts))
        failed = tuple(sorted(self._failed, key=lambda one: one.place))
        measured = [one for one in self._parts if one.places]
        if not measured:
            return Surveyed((), {}, (), failed)
        try:
            return replace(join_surveyed(measured), failed=failed)
        except ValueError as error:
            first, last = self._prompts[0].id, self._prompts[-1].id
            raise _broken(
                self._study,
                f"gives some of the prompts {first} to {last} other columns than others: {error}",
            ) from error

    def _measure(self, start: int, stop: int) -> None:
        """Measure some of its prompts; where they fail together, each half."""
        reason = self._try(start, stop)
        if reason is None:
            return
        if stop - start == 1:
            self._failed.append(Unmeasured(start, reason))
            return
        middle = (start + stop) // 2
        self._measure(start, middle)
        self._measure(middle, stop)

    def _try(self, start: int, stop: int) -> str | None:
        """Measure some of its prompts together; why not, where they cannot be."""
        try:
            part = self._ask(start, stop)
        except Cancelled:
            raise
        except Exception as error:
            if self._stopped:
                raise
            if isinstance(error, VisitError):
                return one_line(str(error))
            if _is_out_of_memory(error):
                traceback.clear_frames(error.__traceback__)  # they hold what filled it
                reason = f"memory ran out: {one_line(str(error)) or type(error).__name__}"
            else:
                raise self._name(start, stop, error) from error
        else:
            self._take(start, part)
            return None
        _free_memory()
        return reason

    def _ask(self, start: int, stop: int) -> Surveyed:
        """What the study measures of some of its prompts."""
        some = self._prompts[start:stop]
        part = self._study.measure(self._engine, some, self._prepared, self._tell)
        told = [*part.places, *(one.place for one in part.failed)]
        if sorted(told) != list(range(len(some))):
            raise ValueError(
                f"of {len(some)} prompts it measures the places {list(part.places)} and gives "
                f"reasons for {[one.place for one in part.failed]}; it must name each once"
            )
        return part

    def _take(self, start: int, part: Surveyed) -> None:
        self._failed += [Unmeasured(start + one.place, one.reason) for one in part.failed]
        places = tuple(start + place for place in part.places)
        self._parts.append(replace(part, places=places, failed=()))

    def _tell(self, stage: str, part: float) -> None:
        try:
            self._progress(stage, part)
        except BaseException:
            self._stopped = True
            raise

    def _name(self, start: int, stop: int, error: Exception) -> StudyBroken:
        """What is said of a study that broke, with the prompt that it breaks at by itself."""
        while stop - start > 1:
            middle = (start + stop) // 2
            for half in ((start, middle), (middle, stop)):
                broke = self._breaks(*half)
                if broke is not None:
                    (start, stop), error = half, broke
                    break
            else:
                break
        first, last = self._prompts[start], self._prompts[stop - 1]
        where = f"prompt {first.id} (line {first.line})"
        if first is not last:
            where = f"prompts {first.id} to {last.id}, though at neither half of them"
        return _broken(self._study, f"broke at {where}: {_in_words(error)}")

    def _breaks(self, start: int, stop: int) -> Exception | None:
        """What the study raises at some of its prompts, beside what prompts may cause."""
        try:
            self._ask(start, stop)
        except Cancelled:
            raise
        except Exception as error:
            if self._stopped:
                raise
            caused = isinstance(error, VisitError) or _is_out_of_memory(error)
            return None if caused else error
        return None


def broken_in_preparing(study: Study, error: Exception) -> StudyBroken:
    """What is said of a study whose ``prepare`` failed."""
    return _broken(study, f"broke as it prepared: {_in_words(error)}")


def _broken(study: Study, how: str) -> StudyBroken:
    return StudyBroken(
        f"study {study.name!r} {how}; mend it and run it again, which goes on where it stopped"
    )


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {shorten(one_line(str(error)), _WIDTH)}"


def _first_other(layouts: Sequence[Layout], before: Sequence[Layout]) -> str:
    if [one.column for one in layouts] != [one.column for one in before]:
        return f"{[one.column.name for one in layouts]}, not {[one.column.name for one in before]}"
    new, old = next(pair for pair in zip(layouts, before, strict=True) if pair[0] != pair[1])
    return (
        f"{new.column.name} is {new.dtype} of the shape {list(new.shape)}, not {old.dtype} of "
        f"{list(old.shape)}"
    )


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out where no session said so in words; torch may not be loaded here."""
    torch = sys.modules.get("torch")
    lacks = (MemoryError,) if torch is None else (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, lacks)


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
