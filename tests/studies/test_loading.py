"""From a name or a file to a study."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from sample_study import NoEngine, NoModel, sample_prompts

from visit.errors import RequestError
from visit.studies import catalogue
from visit.studies.loading import find_study, options_of_study, source_of
from visit.studies.reading import read_rows
from visit.studies.report import report_on
from visit.studies.running import run_study

TEXT = '''
"""A study of one's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visit.engine.options import option
from visit.studies import Column, Study, Surveyed


@dataclass(frozen=True)
class Words(Study):
    """How many words there are."""

    name = "words"
    times: int = option(1, "Times", "what the words are multiplied with")

    def measure(self, engine, prompts, prepared, progress=None):
        values = np.array([len(one.text.split()) * self.times for one in prompts])
        return Surveyed(
            (Column("words", "words"),), {"words": values}, tuple(range(len(prompts)))
        )

    def report(self, rows):
        return []
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "words.py"
    path.write_text(TEXT)
    return path


def test_a_file_holds_a_study_whose_options_are_its_fields(file: Path):
    study = find_study(str(file), {"times": "3"})
    assert study.name == "words" and study.options == {"times": 3}
    assert [one.name for one in options_of_study(type(study))] == ["times"]
    assert find_study(str(file)).options == {"times": 1}


def test_a_study_of_a_file_travels_with_its_text(file: Path):
    """Another process needs neither the file nor its module."""
    study = find_study(str(file), {"times": "3"})
    packed = pickle.dumps(study)
    file.unlink()
    code = f"import pickle; s = pickle.loads({packed!r}); print(s.name, s.options['times'], s)"
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert said == "words 3 Words(times=3)\n"
    assert pickle.loads(packed) == study


def test_workers_run_a_study_of_a_file_and_the_manifest_says_which(file: Path, tmp_path: Path):
    prompts = sample_prompts(7)
    folder = tmp_path / "rows"
    run_study(find_study(str(file)), prompts, NoModel(), folder, workers=2, chunk=2)
    rows = read_rows(folder)
    assert rows["words"].tolist() == [len(one.text.split()) for one in prompts]
    mended = tmp_path / "mended.py"
    mended.write_text(TEXT + "\n# mended\n")
    run_study(find_study(str(mended)), prompts, NoModel(), folder, chunk=2, engine=NoEngine())
    from visit.studies.folder import StudyFolder

    sources = StudyFolder(folder).manifest().sources
    assert len(set(sources)) == 2
    first = source_of(find_study(str(file)))
    assert first is not None and sources[0] == first.sha256


def test_a_report_is_drawn_by_a_file_s_study_as_it_ran(file: Path, tmp_path: Path):
    """With the options of its rows, not with the defaults."""
    file.write_text(TEXT.replace("return []", "raise ValueError(f'times is {self.times}')"))
    run_study(
        find_study(str(file), {"times": "3"}), sample_prompts(2), NoModel(), tmp_path / "rows"
    )
    with pytest.raises(ValueError, match="times is 3"):
        report_on(tmp_path / "rows", find_study(str(file)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", r"must define one study, .*; it defines none"),
        (TEXT + "\nclass More(Words):\n    name = 'more'\n", "it defines Words, More"),
        ("1 / 0", "cannot be read as a study: ZeroDivisionError: division by zero"),
        ("def", "cannot be read as a study: SyntaxError"),
        (TEXT.replace('name = "words"', ""), "the study Words has no name; give it one"),
    ],
)
def test_a_file_that_is_not_one_studys_is_refused_in_one_line(file: Path, text: str, says: str):
    file.write_text(text)
    with pytest.raises(RequestError, match=says) as raised:
        find_study(str(file))
    assert "\n" not in str(raised.value)


def test_what_is_not_there_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(RequestError, match=r"nowhere\.py cannot be read: no such file"):
        find_study("nowhere.py")
    monkeypatch.setattr("visit.studies.loading.STUDIES", {})
    with pytest.raises(RequestError, match=r"there is no study 'nothing'; give a path to a \.py"):
        find_study("nothing")
    with pytest.raises(RequestError, match="'words' has no option 'time'; it has these: times"):
        find_study(str(file), {"time": "3"})
    with pytest.raises(RequestError, match="times is 'many'; give a whole number"):
        find_study(str(file), {"times": "many"})


def test_every_study_of_the_catalogue_is_found_by_its_name():
    for name in catalogue.STUDIES:
        assert find_study(name).name == name
