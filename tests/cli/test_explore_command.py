"""``visit explore``: every explorable on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visit.cli.main import main
from visit.engine.explorables import EXPLORABLES

PROMPT = "The capital of Japan is the city of"


@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_prints_a_summary_and_writes_a_page_that_works_offline(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    page, prompt = tmp_path / "page.html", "<b>Japan</b> is"
    assert main(["explore", name, prompt, "--summary", "--count", "2", "-o", str(page)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(prompt) and len(said.splitlines()) > 4
    text = page.read_text(encoding="utf-8")
    own = text.partition("<script>")[0] + text.rpartition("<script>")[2]
    assert EXPLORABLES[name].title in own and "Plotly.newPlot" in own
    assert "<b>Japan" not in own and "http" not in own.replace("http-equiv", "")


def test_a_document_bears_the_explorables_name(capsys: pytest.CaptureFixture[str]):
    assert main(["explore", "norms", PROMPT, "--reproducible"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "visit.norms/1"


def test_a_csv_is_a_file_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["explore", "norms", PROMPT, "-o", str(tmp_path / "n.csv")]) == 0
    written = [tmp_path / "n.sources.csv", tmp_path / "n.layers.csv"]
    assert capsys.readouterr().out == "".join(f"{path}\n" for path in written)
    assert all(path.read_text(encoding="utf-8").count("\n") > 4 for path in written)


def test_what_cannot_be_explored_is_one_line(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as left:
        main(["explore", "luck", PROMPT])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "luck" in said and "norms" in said
    assert main(["explore", "norms"]) == 2
    assert "visit explore norms" in capsys.readouterr().err
