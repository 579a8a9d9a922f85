"""What a study's folder refuses, and what of it is left when a run ends badly."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
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

import visit.formats.files
from visit.errors import OutputError, RequestError
from visit.studies.folder import StudyFolder
from visit.studies.reading import read_rows
from visit.studies.running import run_study

ROOT = Path(__file__).parent.parent


class Later(Lengths):
    version = 2


class Other(Lengths):
    name = "others"


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"engine": NoEngine("cd" * 32)}, r"model none \(float32, weights abababababab\), not "
                                          r"of none \(float32, weights cdcdcdcdcdcd\)"),
        ({"study": Later()}, "rows of version 1 of the study 'lengths', and this is version 2"),
        ({"study": Other()}, "holds rows of the study 'lengths', not 'others'"),
        ({"study": Lengths(factor=2)}, "measured with factor=1, not factor=2"),
        ({"prompts": PROMPTS[:-1]}, r"other prompts \(23 of no name, \w+\) than these \(22 of"),
        ({"chunk": 6}, "has 5 prompts a chunk, not 6; give 5, or another folder"),
    ],
)  # fmt: skip
def test_rows_of_two_runs_that_differ_are_never_mixed(tmp_path: Path, named, says: str):
    run(tmp_path, limit=10)
    before = shards_in(tmp_path)
    with pytest.raises(RequestError, match=says) as raised:
        run(tmp_path, **named)
    assert "\n" not in str(raised.value) and str(tmp_path) in str(raised.value)
    assert shards_in(tmp_path) == before


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(RequestError, match=r"is there, but no study's: it holds thesis\.tex"):
        run(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(RequestError, match=r"thesis\.tex is a file; give a folder"):
        run(tmp_path / "thesis.tex")


def test_a_folder_that_is_no_study_has_no_rows(tmp_path: Path):
    with pytest.raises(RequestError, match="nowhere is no folder; give one that"):
        read_rows(tmp_path / "nowhere")
    with pytest.raises(RequestError, match="is no study's folder"):
        read_rows(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(RequestError, match=r"manifest\.json is no manifest of a study, or damaged"):
        read_rows(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema": "visit.study/9"}')
    with pytest.raises(RequestError, match=r"'visit\.study/9'; this version reads"):
        read_rows(tmp_path)


def test_prompts_that_fail_are_kept_with_their_reasons(tmp_path: Path):
    """A prompt that costs its chunk an error is found; so is memory that suffices for fewer."""
    prompts = sample_prompts(23, p3="bad", p7="worse", p8="worse", p12="full", p20="\ud800")
    ran = run(tmp_path, prompts)
    assert (ran.n, ran.n_failed, ran.n_left) == (20, 3, 0)
    errors = parquet.read_table(tmp_path / "errors.parquet").to_pylist()
    assert errors == [
        {"id": 3, "line": 7, "prompt": "bad", "target": "t", "reason": "it is bad"},
        {"id": 7, "line": 15, "prompt": "worse", "target": "t", "reason": "prompt 7 is worse"},
        {"id": 8, "line": 17, "prompt": "worse", "target": "t", "reason": "prompt 8 is worse"},
    ]
    rows = read_rows(tmp_path)
    assert rows.ids.tolist() == [n for n in range(23) if n not in (3, 7, 8)]
    assert rows.texts[rows.ids.tolist().index(20)] == "\\ud800"  # no UTF-8 has it


def test_chunks_of_which_nothing_can_be_measured_are_done_too(tmp_path: Path):
    ran = run(tmp_path, sample_prompts(6, p0="bad", p1="worse", p2="bad"), chunk=3)
    assert (ran.n, ran.n_failed) == (3, 3)
    assert read_rows(tmp_path).ids.tolist() == [3, 4, 5]
    none = run(tmp_path / "none", sample_prompts(1, p0="bad"))
    assert (none.n, none.n_failed) == (0, 1)
    assert len(read_rows(tmp_path / "none")) == 0


def test_a_study_that_breaks_ends_the_run_at_its_prompt_and_can_go_on(tmp_path: Path):
    prompts = sample_prompts(23, p12="broken", p3="bad")
    with pytest.raises(RequestError, match=r"broke at prompt 12 \(line 25\): ZeroDivisionError"):
        run(tmp_path, prompts)
    assert read_rows(tmp_path).ids.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert parquet.read_table(tmp_path / "errors.parquet")["id"].to_pylist() == [3]


def test_what_a_study_prepares_must_be_plain_data(tmp_path: Path):
    with pytest.raises(RequestError, match=r"broke as it prepared: TypeError.*ndarray"):
        run(tmp_path, study=Lengths(prepares=lambda: {"longest": np.ones(2)}))
    with pytest.raises(RequestError, match=r"broke as it prepared: ValueError"):
        run(tmp_path, study=Lengths(prepares=lambda: {"longest": float("nan")}))


def test_a_damaged_shard_is_named(tmp_path: Path):
    run(tmp_path)
    shard = tmp_path / "rows" / "00002.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(RequestError, match=r"00002\.parquet is damaged .*; remove it and run"):
        read_rows(tmp_path)
    shard.unlink()
    assert run(tmp_path).n_new == 5
    assert_rows(tmp_path)


def test_a_prompt_that_stands_in_two_shards_is_refused(tmp_path: Path):
    run(tmp_path)
    shutil.copy(tmp_path / "rows" / "00002.parquet", tmp_path / "rows" / "00007.parquet")
    with pytest.raises(RequestError, match="has prompt 10 more than once"):
        read_rows(tmp_path)


def test_a_shard_with_other_columns_is_refused(tmp_path: Path):
    run(tmp_path)
    run(tmp_path / "other", study=NoText())
    shutil.copy(tmp_path / "other/rows/00001.parquet", tmp_path / "rows" / "00001.parquet")
    with pytest.raises(RequestError, match=r"00001\.parquet has other columns \(length int32"):
        read_rows(tmp_path)


class NoText(Lengths):
    def measure(self, engine, prompts, prepared, progress=lambda stage, part: None):
        whole = super().measure(engine, prompts, prepared, progress)
        return type(whole)(
            whole.columns[:1], {"length": whole.values["length"]}, whole.places, whole.failed
        )


class Growing(Lengths):
    def measure(self, engine, prompts, prepared, progress=lambda stage, part: None):
        whole = super().measure(engine, prompts, prepared, progress)
        if prompts[0].id < 10:
            return whole
        counts = np.repeat(whole.values["counts"], 2, axis=1)
        return type(whole)(whole.columns, {**whole.values, "counts": counts}, whole.places)


def test_a_study_whose_columns_change_is_told_before_a_row_is_written(tmp_path: Path):
    says = r"prompts 10 to 14 other columns than those before: counts is int64 of the shape \[4\]"
    with pytest.raises(RequestError, match=says):
        run(tmp_path, study=Growing())
    assert len(read_rows(tmp_path)) == 10


def test_a_second_run_into_the_same_folder_is_refused_while_the_first_runs(tmp_path: Path):
    refused = []

    def progress(stage: str, part: float) -> None:
        if not refused:
            with pytest.raises(RequestError, match="another run writes into") as raised:
                run(tmp_path)
            refused.append(raised)

    run(tmp_path, progress=progress)
    assert refused
    assert_rows(tmp_path)


def test_a_disk_that_refuses_is_told_in_one_line_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The system's own refusal: no file may grow beyond so many bytes."""
    code = f"""
import resource, sys
sys.path[:0] = [{str(ROOT / "samples")!r}]
from sample_study import Lengths, NoEngine, NoModel, sample_prompts
from visit.errors import OutputError
from visit.studies.running import run_study
prompts = sample_prompts(60)
run_study(Lengths(), prompts, NoModel(), {str(tmp_path)!r}, chunk=20, limit=20, engine=NoEngine())
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
try:
    run_study(Lengths(), prompts, NoModel(), {str(tmp_path)!r}, chunk=20, engine=NoEngine())
except OutputError as error:
    print(error)
"""
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT.parent
    ).stdout
    assert said.count("\n") == 1
    assert "00001.parquet cannot be written: file too large; make room and run the study" in said
    left = sorted(one.name for one in tmp_path.rglob("*") if one.is_file())
    assert left == [".lock", "00000.parquet", "errors.parquet", "manifest.json"]
    prompts = sample_prompts(60)
    assert run(tmp_path, prompts, chunk=20).n_new == 40
    assert_rows(tmp_path, prompts)


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written to: not a directory; give another"):
        run(tmp_path / "file" / "study")


def test_what_a_killed_run_left_half_written_is_swept(tmp_path: Path):
    run(tmp_path, limit=5)
    left = tmp_path / "rows" / visit.formats.files.TEMPORARY.replace("*", "0123")
    left.write_bytes(b"half")
    run(tmp_path)
    assert not left.exists()
    assert json.loads((tmp_path / "manifest.json").read_text())["prompts"]["count"] == 23
    assert StudyFolder(tmp_path).tally() == (23, ())


def test_a_study_that_needs_answers_refuses_prompts_without(tmp_path: Path):
    class Needy(Lengths):
        needs_targets = True

    prompts = [type(PROMPTS[0])(0, 4, "text")]
    with pytest.raises(RequestError, match="the prompt in line 4 names no answer"):
        run_study(Needy(), prompts, NoModel(), tmp_path / "new", engine=NoEngine())
    with pytest.raises(RequestError, match="there is no prompt"):
        run_study(Needy(), [], NoModel(), tmp_path / "new", engine=NoEngine())
    with pytest.raises(ValueError, match="its id must be its place"):
        run_study(Lengths(), PROMPTS[1:], NoModel(), tmp_path / "new", engine=NoEngine())
    assert not (tmp_path / "new").exists()
