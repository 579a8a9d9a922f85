"""``visit atlas …`` on the bundled model."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from visit.cli import atlas
from visit.cli.main import main
from visit.lens.atlas import Atlas
from visit.session import Session

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISIT_CACHE", str(tmp_path))
    return tmp_path / "atlas"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the whole atlas of the bundled model."""
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIT_CACHE", str(folder))
        Session.load("mini").atlas.build()
    return folder


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["atlas", *argv]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def complaint(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    try:
        code = main(["atlas", *argv])
    except SystemExit as left:
        code = left.code
    assert code == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err.removeprefix("visit: ").rstrip("\n")


def table(block: str) -> list[list[str]]:
    """The cells of a table, without its title."""
    return [line.split() for line in block.splitlines()[1:]]


def test_build_says_where_and_how_much_and_then_that_it_is_there(
    cache: Path, capsys: pytest.CaptureFixture[str]
):
    first, folder = said(capsys, "build").splitlines()
    assert first.startswith("the atlas of mini: 20,748 rows, 3.87 MB; 20,748 rows measured in ")
    assert Path(folder).parent == cache
    again, _ = said(capsys, "build").splitlines()
    assert again == "the atlas of mini: 20,748 rows, 3.87 MB; built already"
    lines = said(capsys, "list").splitlines()
    assert lines == [str(cache), f" {Path(folder).name}  3.87 MB  mini"]
    (cache / "mine").mkdir()
    assert said(capsys, "clear") == f"removed 1 from {cache}\n"
    assert [path.name for path in cache.iterdir()] == ["mine"]
    assert said(capsys, "clear") == f"removed 0 from {cache}\n"
    assert said(capsys, "list").splitlines() == [str(cache), " no atlas"]


def test_a_search_prints_who_promotes_and_who_suppresses(
    built: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VISIT_CACHE", str(built))
    promote, suppress = said(capsys, "search", " Tokyo", "--top", "3").split("\n\n")
    assert promote.startswith("rows that promote ·Tokyo\n")
    assert suppress.startswith("rows that suppress ·Tokyo\n")
    header, *rows = table(promote)
    assert header == ["row", "probability", "rank", "logit", "says"]
    assert len(rows) == 3
    assert [float(row[1]) for row in rows] == sorted((float(row[1]) for row in rows), reverse=True)
    assert all("·Tokyo" in row[4:] for row in rows)
    _, *rows = table(suppress)
    assert all(int(row[2]) > 3700 for row in rows)  # of 3,816 tokens
    assert all(row[3].startswith("-") for row in rows)


def test_the_example_in_the_docs_is_what_the_command_prints(
    built: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VISIT_CACHE", str(built))
    text = (ROOT / "docs" / "atlas.md").read_text(encoding="utf-8")
    ((command, shown),) = re.findall(
        r"^```text\n\$ visit atlas ([^\n]*)\n(.*?)^```$", text, re.M | re.S
    )
    assert said(capsys, *shlex.split(command)) == shown


def test_json_has_the_same_rows_with_all_numbers(
    built: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VISIT_CACHE", str(built))
    options = ("--kind", "memory-value", "--kind", "attn-neuron", "--top", "4", "--json")
    found = json.loads(said(capsys, "search", " Tokyo", *options))
    assert (found["model"], found["token"], found["row"]) == ("mini", " Tokyo", None)
    promote, suppress = Session.load("mini").atlas.search(
        " Tokyo", [atlas.NodeKind.MEMORY_VALUE, atlas.NodeKind.ATTN_NEURON], 4
    )
    for listed, rows in ((found["promote"], promote), (found["suppress"], suppress)):
        assert [one["row"] for one in listed] == [str(row.row) for row in rows]
        assert listed[0]["target"]["rank"] == rows[0].reading.target.rank
        assert listed[0]["top"][0]["text"] == rows[0].reading.top[0].text
        assert "correlation" not in listed[0]


def test_the_like_of_a_row_are_listed_with_their_correlation(
    built: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VISIT_CACHE", str(built))
    text = said(capsys, "search", "--like=-L5.memory730", "--top", "5")
    assert text.startswith("rows that say what -L5.memory730 says\n")
    header, *rows = table(text)
    assert header == ["row", "correlation", "says"]
    assert len(rows) == 5 and all(0 < float(row[1]) < 1 for row in rows)
    found = json.loads(said(capsys, "search", "--like=-L5.memory730", "--top", "5", "--json"))
    assert [f"{one['correlation']:+.4f}" for one in found["like"]] == [row[1] for row in rows]
    assert (found["row"], found["token"]) == ("-L5.memory730", None)


def test_a_search_builds_the_atlas_of_a_small_model_by_itself(
    cache: Path, capsys: pytest.CaptureFixture[str]
):
    assert "rows that promote ·Paris" in said(capsys, "search", " Paris", "--top", "1")
    assert len(list(cache.rglob("*.safetensors"))) == 48


def test_a_search_over_a_large_model_says_how_to_build_its_atlas(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("visit.lens.atlas.atlas.BUILT_UNASKED", 0)
    line = complaint(capsys, "search", " Paris")
    assert line.startswith(
        "the atlas of mini is not built; visit atlas build --model mini takes about "
    )
    assert line.endswith(" s and 3.82 MB, once")
    assert not cache.exists()


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "the following arguments are required: COMMAND; visit atlas -h says what is allowed"),
        (["search"], "neither a token nor --like is given; give one of them"),
        (["search", "x", "--like", "L1.memory1"], "both a token and --like is given; give one of"),
        (["search", "Tokyo"], "token 'Tokyo' is "),
        (["search", "x\udce9"], "the token is not UTF-8 at character 1"),
        (["search", "--like", "memory1"], "'memory1' names no row; give one like L3.memory150, "),
        (["search", "--like", "L6.memory1"], "there is no row L6.memory1; the layers are 0 to 5"),
        (["search", "--like", "L5.memory768"], "there is no row L5.memory768; the last is 767"),
        (["search", " Tokyo", "--top", "0"], "argument --top: '0' is no count; give 1 or more"),
        (["search", " Tokyo", "--kind", "head"], "argument --kind: invalid choice: 'head'"),
        (["build", "--model", "/no/such.gguf"], "model file '/no/such.gguf' does not exist"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(
    argv: list[str],
    line: str,
    built: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("VISIT_CACHE", str(built))
    assert complaint(capsys, *argv).startswith(line)


def test_a_build_that_is_interrupted_is_quiet_and_goes_on_the_next_time(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def interrupt(part: float) -> None:
        if part > 0.5:
            raise KeyboardInterrupt

    build = Atlas.build
    monkeypatch.setattr(Atlas, "build", lambda atlas, on_part: build(atlas, interrupt))
    assert main(["atlas", "build"]) == 130
    assert capsys.readouterr() == ("", "")
    assert 0 < len(list(cache.rglob("*.safetensors"))) < 48
    monkeypatch.setattr(Atlas, "build", build)
    assert "20,748 rows, 3.87 MB; " in said(capsys, "build")
