"""``visit study …``, on the bundled model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from visit.cli.main import main
from visit.formats.study_report import report_from_json
from visit.studies.catalogue import STUDIES
from visit.studies.folder import StudyFolder
from visit.studies.reading import read_rows

PROMPT = "The capital of Japan is the city of"


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of three countries and their capitals."""
    path = tmp_path_factory.mktemp("facts") / "facts.csv"
    path.write_text("country,capital\nJapan,Tokyo\nPeru,Lima\nFrance,Paris\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(facts: Path) -> Path:
    """A study of these, run to its end."""
    out = facts.parent / "rows"
    template = ["--template", "The capital of {country} is the city of"]
    argv = ["study", "run", "right-and-wrong", "--prompts", str(facts), *template,
            "--target-column", "capital", "--out", str(out), "--batch", "2"]  # fmt: skip
    assert main(argv) == 0
    return out


def test_a_run_measures_the_prompts_of_a_template_with_their_answers(folder: Path):
    rows = read_rows(folder)
    assert list(rows.targets) == [" Tokyo", " Lima", " Paris"]
    assert rows.texts[1] == "The capital of Peru is the city of"
    assert len(list((folder / "rows").iterdir())) == 2  # two prompts, and one
    assert rows["is_right"].all()


def test_a_run_that_is_interrupted_says_what_is_kept_and_goes_on(
    facts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    argv = ["study", "run", "head-scores", "--prompts", str(facts), "--column", "country",
            "--out", str(tmp_path / "rows"), "--batch", "1"]  # fmt: skip
    put = StudyFolder.put

    def put_two(folder: StudyFolder, number: int, content: bytes) -> None:
        if number == 2:
            raise KeyboardInterrupt
        put(folder, number, content)

    with monkeypatch.context() as patch:
        patch.setattr(StudyFolder, "put", put_two)
        assert main(argv) == 130
    said = capsys.readouterr().err
    assert "stopped with 2 of 3 prompts measured; the same command goes on" in said
    assert main(argv) == 0
    assert len(read_rows(tmp_path / "rows")) == 3


def test_a_run_that_is_interrupted_before_its_folder_says_that_nothing_is_measured(
    facts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(StudyFolder, "alone", interrupt)
    argv = ["study", "run", "head-scores", "--prompts", str(facts), "--column", "country"]
    assert main([*argv, "--out", str(tmp_path / "rows")]) == 130
    assert "stopped with 0 of 3 prompts measured" in capsys.readouterr().err


def test_a_report_is_a_page_beside_the_rows_unless_it_is_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["study", "report", str(folder)]) == 0
    page = folder / "report.html"
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert main(["study", "report", str(folder), "-o", str(tmp_path / "a.json")]) == 0
    report = report_from_json((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert (report.study, report.n, report.prompts) == ("right-and-wrong", 3, "facts.csv")
    capsys.readouterr()
    assert main(["study", "report", str(folder), "-o", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "visit.study-report/1"


def test_a_report_as_csv_has_a_file_a_figure(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["study", "report", str(folder), "-o", str(tmp_path / "a.csv")]) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(written) == 4 and all(one.is_file() for one in written)
    with written[0].open(encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    assert table[0][-1] == "prompts" and {row[-1] for row in table[1:]} == {"3"}


def test_a_summary_has_so_many_rows_a_figure_and_writes_no_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "report.html").unlink(missing_ok=True)
    assert main(["study", "report", str(folder), "--summary", "--count", "2"]) == 0
    said = capsys.readouterr().out
    assert "3 of 3 prompts are answered rightly" in said
    assert "the first 2 of 7 rows" in said
    assert not (folder / "report.html").exists()


def test_two_reports_of_one_study_are_a_page_and_no_other_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    argv = ["study", "report", str(folder), "--compare", str(folder)]
    assert main([*argv, "-o", str(tmp_path / "both.html")]) == 0
    assert main([*argv, "-o", str(tmp_path / "both.json")]) == 2
    assert "cannot hold two reports; give a name in .html" in capsys.readouterr().err


def test_the_same_run_again_measures_nothing_and_another_is_refused(
    facts: Path, folder: Path, capsys: pytest.CaptureFixture[str]
):
    argv = ["study", "run", "right-and-wrong", "--prompts", str(facts), "--out", str(folder),
            "--target-column", "capital", "--batch", "2"]  # fmt: skip
    template = ["--template", "The capital of {country} is the city of"]
    assert main([*argv, *template]) == 0
    assert "3 prompts measured; 0 gone through now" in capsys.readouterr().out
    assert main([*argv, "--template", "{country} has"]) == 2
    assert "holds other prompts" in capsys.readouterr().err
    assert main([*argv, *template, "--model", "no/such"]) == 2
    assert "no/such" in capsys.readouterr().err
    assert main([*argv, *template, "--dtype", "float64"]) == 2
    assert "holds rows of the model mini (float32" in capsys.readouterr().err


def test_a_field_that_no_answer_has_is_said_before_any_prompt_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file, out = tmp_path / "a.txt", tmp_path / "rows"
    file.write_text(f"{PROMPT}\n", encoding="utf-8")
    argv = ["study", "run", "question", "--prompts", str(file), "--out", str(out)]
    assert main([*argv, "--set", "fields=target.nothing"]) == 2
    assert "there is no 'nothing' in a Target" in capsys.readouterr().err
    # The folder has no rows, so it takes the same run with a field that there is.
    assert main([*argv, "--set", "fields=target.prob"]) == 0
    assert read_rows(out)["target.prob"].shape == (1,)


def test_a_run_that_measures_nothing_says_the_first_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file, out = tmp_path / "a.txt", tmp_path / "rows"
    file.write_text("a " * 2000 + "\n", encoding="utf-8")
    assert main(["study", "run", "sinks", "--prompts", str(file), "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert "0 prompts measured" in said.out and "report:" not in said.out
    assert "no prompt could be measured: " in said.err and "token" in said.err
    assert main(["study", "report", str(out)]) == 2
    assert "holds no rows" in capsys.readouterr().err


def test_the_list_names_each_study_with_its_options_and_the_bundled_prompts(
    capsys: pytest.CaptureFixture[str],
):
    assert main(["study", "list"]) == 0
    said = capsys.readouterr().out
    for name, kind in STUDIES.items():
        assert f"{name}\n  {kind.summary}" in said
        assert all(f"--set {one.name}=" in said for one in kind.choices())
    assert "--prompts capitals" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--workers", "-1"], "--workers is -1; give 0 or more"),
        (["--workers", "2", "--ray", "auto"], "--ray and --workers are both given"),
        (["--batch", "0"], "--batch is '0'; give auto, or a whole number from 1 on"),
        (["--limit", "0"], "limit is 0; give 1 or more"),
        (["--set", "k"], "--set 'k' is no OPTION=VALUE"),
        (["--set", "k=1"], "study 'sinks' has no option 'k'"),
        (["--set", "k=1", "--set", "k=2"], "--set gives k twice; give it once"),
        (["--column", "no"], "has no column 'no'; it has country, capital"),
        ([], "has no column 'prompt'; it has country, capital"),
    ],
)
def test_what_no_run_can_do_is_one_line_and_makes_no_folder(
    more: list[str], said: str, facts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "rows"
    argv = ["study", "run", "sinks", "--prompts", str(facts), "--out", str(out), *more]
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and not out.exists()


def test_what_is_no_study_and_no_folder_of_one_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for argv, said in (
        (["run", "sinking", "--prompts", "capitals", "--out", "x"], "there is no study 'sinking'"),
        (["report", str(tmp_path)], "is no study's folder"),
        (["report", str(folder), "-o", str(tmp_path / "a.png")], "names no kind of report"),
        (["run", "right-and-wrong", "--prompts", __file__, "--out", str(tmp_path / "x")],
         "names no answer"),
    ):  # fmt: skip
        assert main(["study", *argv]) == 2
        err = capsys.readouterr().err
        assert said in err and err.count("\n") == 1
