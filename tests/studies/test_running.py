"""A study's rows, however they came about: in one process or several, at once or bit by bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from sample_study import (
    PROMPTS,
    Lengths,
    NoEngine,
    NoModel,
    assert_rows,
    run,
    sample_prompts,
    shards_in,
)

from visit.errors import Cancelled, ModelError, RequestError
from visit.studies.manifest import digest_prompts
from visit.studies.model_spec import ModelSpec
from visit.studies.reading import read_rows
from visit.studies.running import run_study
from visit.studies.workers import WorkerLost


def test_a_run_measures_every_prompt_once(tmp_path: Path):
    ran = run(tmp_path / "new" / "study")
    assert (ran.n, ran.n_failed, ran.n_left, ran.n_new) == (23, 0, 0, 23)
    assert_rows(ran.folder)
    assert [one.name for one in sorted((ran.folder / "rows").iterdir())] == [
        f"0000{n}.parquet" for n in range(5)
    ]


def test_rows_say_what_they_are(tmp_path: Path):
    rows = read_rows(run(tmp_path, study=Lengths(factor=3)).folder)
    assert rows.options == {"factor": 3}
    assert rows.prepared == {"longest": 13, "half": [0.5, 1]}
    assert rows.model == NoEngine().model
    assert rows.columns["grid"].axes == ("layer", "head") and rows.columns["grid"].unit == "bits"
    assert [*rows.columns] == ["length", "first", "part", "grid", "counts"]


def test_a_shard_is_plain_parquet_whose_fields_say_what_they_hold(tmp_path: Path):
    run(tmp_path)
    table = parquet.read_table(tmp_path / "rows" / "00001.parquet")
    assert table.column_names == [
        "id", "line", "prompt", "target", "length", "first", "part", "grid", "counts",
    ]  # fmt: skip
    assert table["id"].to_pylist() == [5, 6, 7, 8, 9]
    assert table["line"].to_pylist() == [11, 13, 15, 17, 19]
    assert str(table.schema.field("grid").type).endswith(": float not null>[12]")
    says = json.loads(table.schema.field("grid").metadata[b"visit"])
    assert says == {
        "name": "grid", "says": "numbers of it", "axes": ["layer", "head"], "unit": "bits",
        "dtype": "float32", "shape": [3, 4],
    }  # fmt: skip


def test_the_manifest_says_what_the_rows_are_of(tmp_path: Path):
    run(tmp_path, prompts_name="facts.jsonl", command="visit study run lengths facts.jsonl")
    said = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert said["schema"] == "visit.study/1"
    assert said["study"] == {
        "name": "lengths", "version": 1, "options": {"factor": 1}, "sources": [],
    }  # fmt: skip
    assert said["model"]["weights_sha256"] == "ab" * 32 and said["model"]["dtype"] == "float32"
    assert said["prompts"] == {
        "name": "facts.jsonl", "count": 23, "sha256": digest_prompts(PROMPTS),
    }  # fmt: skip
    assert said["chunk"] == 5 and said["command"] == "visit study run lengths facts.jsonl"
    assert said["prepared"] == {"longest": 13, "half": [0.5, 1]}
    assert [one["name"] for one in said["columns"]] == [
        "length", "first", "part", "grid", "counts",
    ]  # fmt: skip
    assert said["created"].endswith("+00:00")


def test_a_second_run_measures_nothing_again(tmp_path: Path):
    run(tmp_path)
    before = shards_in(tmp_path)

    def prepares():
        raise AssertionError("prepared again")

    ran = run(tmp_path, study=Lengths(prepares=prepares))
    assert (ran.n, ran.n_new) == (23, 0)
    assert shards_in(tmp_path) == before


def test_a_limit_measures_the_first_prompts_to_a_whole_chunk(tmp_path: Path):
    ran = run(tmp_path, limit=7)
    assert (ran.n, ran.n_left, ran.n_new) == (10, 13, 10)
    assert len(read_rows(tmp_path)) == 10
    assert run(tmp_path).n_new == 13
    assert_rows(tmp_path)


def test_a_run_that_is_cancelled_keeps_the_chunks_that_are_done(tmp_path: Path):
    told = []

    def progress(stage: str, part: float) -> None:
        told.append((stage, part))
        if part > 0.5:
            raise Cancelled("it was stopped")

    with pytest.raises(Cancelled, match="it was stopped"):
        run(tmp_path, progress=progress)
    assert 0 < len(read_rows(tmp_path)) < 23
    run(tmp_path)
    assert_rows(tmp_path)
    parts = [part for _, part in told]
    assert parts == sorted(parts)


def test_what_progress_raises_is_no_fault_of_a_prompt(tmp_path: Path):
    def progress(stage: str, part: float) -> None:
        if part > 0.3:
            raise RequestError("the page was closed")

    with pytest.raises(RequestError, match="the page was closed"):
        run(tmp_path, progress=progress)
    assert run(tmp_path).n_failed == 0


def test_progress_says_how_many_how_fast_and_how_long(tmp_path: Path):
    told = []
    run(tmp_path, study=Lengths(seconds=0.002), progress=lambda stage, part: told.append(stage))
    assert told[0] == "prompts 0 of 23"
    assert any(
        stage.startswith("prompts 10 of 23, ") and stage.endswith(" s left") for stage in told
    )
    assert " a second, " in told[-1] and told[-1].startswith("prompts 23 of 23")


def test_workers_give_the_same_rows_and_load_the_model_once_each(tmp_path: Path):
    """Each has its share of the cores; all rows come, none twice."""
    (log := tmp_path / "log").mkdir()
    prompts = sample_prompts(23, p3="bad", p11="worse")
    run(tmp_path / "one", prompts=prompts)
    model = NoModel(log=str(log))
    ran = run_study(
        Lengths(seconds=0.01), prompts, model, tmp_path / "two", workers=2, chunk=5
    )  # fmt: skip
    assert (ran.n, ran.n_failed, ran.n_left) == (21, 2, 0)
    assert_rows(tmp_path / "two", prompts, left_out=(3, 11))
    assert shards_in(tmp_path / "one") == shards_in(tmp_path / "two")
    assert len(list(log.iterdir())) == 2


def test_workers_are_cancelled_in_the_midst_of_a_chunk(tmp_path: Path):
    def progress(stage: str, part: float) -> None:
        if part > 0:
            raise Cancelled("it was stopped")

    with pytest.raises(Cancelled):
        run_study(
            Lengths(seconds=0.3), PROMPTS, NoModel(), tmp_path, workers=2, chunk=23,
            progress=progress,
        )  # fmt: skip
    assert list((tmp_path / "rows").iterdir()) == []


def test_a_worker_that_dies_is_told_in_one_line_and_the_rest_stays(tmp_path: Path):
    prompts = sample_prompts(23, p22="deadly")
    with pytest.raises(WorkerLost, match=r"ended by SIGKILL, as where memory runs out.*fewer w"):
        run_study(Lengths(), prompts, NoModel(), tmp_path, workers=2, chunk=5)
    n_done = len(list((tmp_path / "rows").iterdir()))
    assert n_done >= 3
    with pytest.raises(RequestError, match="other prompts"):
        run(tmp_path)


def test_a_worker_tells_what_its_study_broke_at(tmp_path: Path):
    prompts = sample_prompts(23, p12="broken")
    with pytest.raises(RequestError, match=r"'lengths' broke at prompt 12 \(line 25\)") as raised:
        run_study(Lengths(), prompts, NoModel(), tmp_path, workers=2, chunk=5)
    assert "ZeroDivisionError: one by none" in str(raised.value)
    assert "in measure" in str(raised.value.__cause__)  # the other process's traceback


def test_a_study_that_cannot_be_sent_to_workers_is_refused(tmp_path: Path):
    with pytest.raises(RequestError, match="cannot be sent to workers"):
        run_study(Lengths(prepares=lambda: {}), PROMPTS, NoModel(), tmp_path, workers=2, chunk=5)


def test_a_model_that_cannot_be_loaded_is_told_by_a_worker(tmp_path: Path):
    with pytest.raises(ModelError, match="there are no weights"):
        run_study(Lengths(), PROMPTS, NoModel(weights=""), tmp_path, workers=2, chunk=5)


def test_workers_measure_the_bundled_model(tmp_path: Path):
    """Through real sessions; the numbers are held against those that a session gives by itself."""
    from confidence_study import Confidence

    from visit.graph.request import Request
    from visit.session import Session

    texts = ["The capital of Japan is the city of", "The capital of Peru is the city of"]
    prompts = [
        type(PROMPTS[0])(place, place + 1, text) for place, text in enumerate([*texts, "", *texts])
    ]
    ran = run_study(
        Confidence(), prompts, ModelSpec("mini", device="cpu"), tmp_path, workers=2, chunk=2
    )
    assert (ran.n, ran.n_failed) == (4, 1)
    rows, session = read_rows(tmp_path), Session.load("mini", device="cpu")
    assert rows.model == session.model
    expected = [session.explain(Request(text)).target.prob for text in texts]
    np.testing.assert_allclose(rows["confidence"], expected * 2, rtol=1e-6)
