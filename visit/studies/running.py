"""A study, run on this machine: here, or in several processes.

Chunks are measured in any order and by anyone, but which prompts make a chunk depends on their ids
alone: so the rows are the same, to rounding, whatever the number of workers and however often the
run was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from visit.engine.progress import Progress, silent
from visit.studies.measuring import measure_and_put
from visit.studies.model_spec import ModelSpec, OneModel
from visit.studies.run import CHUNK, Plan, Ran, Run, begin_run, prepare
from visit.studies.study import Prompt, Study
from visit.studies.workers import measure_with_workers


def run_study(
    study: Study,
    prompts: Sequence[Prompt],
    model: ModelSpec,
    folder: str | Path,
    *,
    workers: int = 0,
    chunk: int = CHUNK,
    limit: int | None = None,
    prompts_name: str = "",
    command: str = "",
    progress: Progress = silent,
    engine: OneModel | None = None,
) -> Ran:
    """Measure what is not measured yet; a folder with some of the rows is gone on with.

    Args:
        study: What measures.
        prompts: Of what; each one's id is its place.
        model: The model, which each worker loads once.
        folder: Where the rows go.
        workers: How many processes measure, each with its share of the cores; 0 or 1 for this one
            alone. More than one takes the memory of as many models. They are spawned, so a script
            that asks for them keeps its own work under ``if __name__ == "__main__":``.
        chunk: How many prompts are measured together and make one shard.
        limit: How many prompts to measure at least, the first ones; ``None`` for all.
        prompts_name: What the prompts are called, such as the file that they are of.
        command: What was typed, for the manifest.
        progress: Told how many prompts are done, how fast and how long it will take. What it
            raises ends the run; the chunks that are done stay.
        engine: What answers instead of a model that is loaded; for this process alone.

    Raises:
        RequestError: the folder holds rows of something else, another run is at it, or the study
            is broken; the text says which.
        ModelError: the model cannot be loaded.
        OutputError: the folder cannot be written to, or is full.
        WorkerLost: a worker died. All but its chunk stays.
    """
    plan = Plan(study, prompts, chunk, limit, prompts_name, command)
    with begin_run(plan, folder, progress) as run:
        if run.todo and workers > 1 and engine is None:
            measure_with_workers(run, model, workers)
        elif run.todo or engine is not None or not run.is_prepared or not run.is_of(model):
            _measure_here(run, engine or model.load(progress))
        return run.end()


def _measure_here(run: Run, engine: OneModel) -> None:
    """Measure chunk after chunk in this process."""
    plan, pace = run.plan, run.pace
    run.know(engine.model)
    if not run.is_prepared:
        run.keep_prepared(prepare(plan.study, engine, plan.prompts, run.progress))
    pace.begin()
    while run.todo:
        number = run.todo.pop(0)
        prompts = plan.prompts_of(number)

        def tell(stage: str, part: float, n_prompts: int = len(prompts)) -> None:
            pace.tell(part * n_prompts)

        pace.tell()
        layouts = measure_and_put(plan.study, engine, run.folder, number, prompts, tell)
        run.count(number, layouts)
    pace.tell()
