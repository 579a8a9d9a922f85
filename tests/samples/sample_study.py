"""A study that needs no model, and what stands in for one: for runs that end in every way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from visit.engine.options import option
from visit.engine.progress import Progress, silent
from visit.engine.protocol import ModelChoice
from visit.engine.questions import Question
from visit.errors import ModelError, RequestError
from visit.graph.flow import ModelInfo
from visit.graph.studied.columns import Column, Surveyed, Unmeasured
from visit.graph.studied.figure import Figure
from visit.studies.model_spec import ModelSpec
from visit.studies.reading import read_rows
from visit.studies.rows import Rows
from visit.studies.run import Ran
from visit.studies.running import run_study
from visit.studies.study import Prompt, Study

SHAPE = (3, 4)


def sample_model(weights: str = "ab" * 32, name: str = "none") -> ModelInfo:
    """A model's name, without the model."""
    return ModelInfo(name, "gpt2", "float32", weights, 2, 2, 2, 8, 4, 16, 50)


class NoEngine:
    """An engine that answers nothing; the sample study asks it nothing."""

    def __init__(self, weights: str = "ab" * 32) -> None:
        self.model = sample_model(weights)

    def models(self) -> tuple[ModelChoice, ...]:
        return (ModelChoice(self.model.name, ""),)

    def ask(self, question: Question[Any], progress: Progress | None = None) -> Any:
        raise RequestError("there is no model")

    def submit(
        self, question: Question[Any], progress: Progress | None = None, *, asker: object = None
    ) -> Future[Any]:
        raise RequestError("there is no model")


@dataclass(frozen=True)
class NoModel(ModelSpec):
    """What loads such an engine in every worker."""

    weights: str = "ab" * 32
    log: str = ""

    def load(self, progress: Progress = silent, threads: int | None = None) -> NoEngine:
        if self.log:  # who loaded, a file each
            Path(self.log, f"{os.getpid()}").write_text(str(threads))
        if not self.weights:
            raise ModelError("there are no weights")
        return NoEngine(self.weights)


@dataclass(frozen=True)
class Lengths(Study):
    """Numbers that each prompt's own text gives, and so known without running it.

    A prompt that says ``bad`` cannot be measured; ``worse`` costs its chunk an error, ``broken``
    shows a mistake of the study's own, and ``deadly`` kills the process that meets it.
    """

    name = "lengths"
    version = 1
    title = "Lengths"

    factor: int = option(1, "Factor", "what lengths are multiplied with")
    seconds: float = 0.0
    prepares: Callable[[], Mapping[str, Any]] | None = field(default=None, compare=False)

    def prepare(
        self, engine: Any, prompts: Sequence[Prompt], progress: Progress = silent
    ) -> Mapping[str, Any]:
        if self.prepares is not None:
            return self.prepares()
        return {"longest": max(len(one.text) for one in prompts), "half": (0.5, 1)}

    def measure(
        self, engine: Any, prompts: Sequence[Prompt], prepared: Any, progress: Progress = silent
    ) -> Surveyed:
        failed, places = [], []
        for place, one in enumerate(prompts):
            time.sleep(self.seconds)
            progress("lengths", (place + 1) / len(prompts))
            if one.text == "worse":
                raise RequestError(f"prompt {one.id} is worse")
            if one.text == "broken":
                raise ZeroDivisionError("one by none")
            if one.text == "deadly":
                os.kill(os.getpid(), 9)
            if one.text == "full" and len(prompts) > 2:
                raise MemoryError(f"no room for {len(prompts)}")
            if one.text == "bad":
                failed.append(Unmeasured(place, "it is bad"))
            else:
                places.append(place)
        texts = [prompts[place].text for place in places]
        return Surveyed(
            (
                Column("length", "how long the text is", unit="letters"),
                Column("first", "its first letter"),
                Column("part", "its part of the longest"),
                Column("grid", "numbers of it", ("layer", "head"), "bits"),
                Column("counts", "counts of it", ("layer",)),
            ),
            {
                "length": np.array([len(text) * self.factor for text in texts], np.int32),
                "first": np.array([text[:1] for text in texts], object),
                "part": np.array([len(text) / prepared["longest"] for text in texts]),
                "grid": np.array([grid_of(text) for text in texts], np.float32).reshape(-1, *SHAPE),
                "counts": np.array([[len(text), 7] for text in texts], np.int64).reshape(-1, 2),
            },
            tuple(places),
            tuple(failed),
        )

    def report(self, rows: Rows) -> Sequence[Figure]:
        return ()


def grid_of(text: str) -> np.ndarray:
    """Numbers of the test's own, from the text alone; one of them is none."""
    numbers = np.arange(12, dtype=np.float32).reshape(SHAPE) / 7 + len(text)
    numbers[1, 2] = np.nan
    return numbers


def sample_prompts(count: int, **said: str) -> list[Prompt]:
    """So many prompts; ``p3="bad"`` says what the one with the id 3 is."""
    return [
        Prompt(place, 2 * place + 1, said.get(f"p{place}", f"{place} " + "é" * (place % 11)), "t")
        for place in range(count)
    ]


def shards_in(folder: Path) -> dict[str, bytes]:
    """The shards' bytes, by name."""
    return {one.name: one.read_bytes() for one in sorted((folder / "rows").iterdir())}


PROMPTS = sample_prompts(23)


def run(folder: Path, prompts=PROMPTS, study=None, **named) -> Ran:
    """A run in this process, of the sample study and without a model."""
    named = {"chunk": 5, "engine": NoEngine(), **named}
    return run_study(study or Lengths(), prompts, NoModel(), folder, **named)


def assert_rows(folder: Path, prompts=PROMPTS, left_out=()) -> None:
    """The rows are the numbers that the texts themselves give, each prompt once."""
    rows = read_rows(folder)
    there = [one for one in prompts if one.id not in left_out]
    assert rows.ids.tolist() == [one.id for one in there]
    assert rows.texts.tolist() == [one.text for one in there]
    assert rows.targets.tolist() == [one.target for one in there]
    assert rows["length"].dtype == np.int32
    assert rows["length"].tolist() == [len(one.text) for one in there]
    assert rows["first"].tolist() == [one.text[:1] for one in there]
    assert rows["grid"].dtype == np.float32 and rows["grid"].shape == (len(there), *SHAPE)
    np.testing.assert_array_equal(rows["grid"], np.array([grid_of(one.text) for one in there]))
    assert rows["counts"].tolist() == [[len(one.text), 7] for one in there]
    longest = max(len(one.text) for one in prompts)
    np.testing.assert_array_equal(rows["part"], [len(one.text) / longest for one in there])
