"""What the docs say about the code is so: its files, its folders, and its words."""

from __future__ import annotations

import pkgutil
import re
import tomllib
from pathlib import Path

import pytest
from test_layers import MAY_IMPORT

from visit.engine.explorables import EXPLORABLES, Explorable
from visit.engine.options import options_of
from visit.web.screen.glossary import GLOSSARY

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
OURS = ("visit", "tests", "assets", "benchmarks", "docs", ".ci")


def rows(page: str, head: str) -> list[list[str]]:
    """The cells of the table that begins with a line, row by row."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    _, _, table = text.split(f"{head}\n")[1].partition("\n")
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.split("\n\n")[0].splitlines()
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Path):
    text = page.read_text(encoding="utf-8")
    named = re.findall(rf"`((?:{'|'.join(map(re.escape, OURS))})/[\w./-]*)`", text)
    named = [path for path in named if "." in path or path.endswith("/")]  # others are no files
    assert [path for path in named if not (ROOT / path).exists() and "NAME" not in path] == []
    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert [path for path in linked if not (page.parent / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_of_the_package_that_a_page_gives_is_there(page: Path):
    text = page.read_text(encoding="utf-8").replace("visit.flow/", "")  # the document's schema
    for name in re.findall(r"`(visit(?:\.\w+)+)[`(]", text):
        assert pkgutil.resolve_name(name) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_heading_that_a_page_links_to_exists(page: Path):
    for path, anchor in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", page.read_text(encoding="utf-8")):
        linked = page.parent / path if path else page
        headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings]
        assert anchor in anchors, (page.name, anchor)


def test_the_table_of_folders_is_the_one_that_is_enforced():
    table = {}
    for folder, does, may in rows("architecture.md", "| folder | what it does | may import |"):
        assert does
        names = set(re.findall(r"`([\w.]+)`", may))
        assert names or may in ("everything", "nothing")
        table[folder.strip("`")] = None if may == "everything" else names
    assert table == {
        folder: None if may is None else may - {folder} for folder, may in MAY_IMPORT.items()
    }


def test_the_words_of_the_method_stand_with_what_the_field_calls_them():
    table = {word: also for word, also, _ in rows("method.md", "| word | also called | meaning |")}
    assert table == {word: ", ".join(GLOSSARY[word].also) for word in table}
    # Those that the method does not explain are plain words, or explained where they are shown.
    explained_elsewhere = {
        "embedding", "position", "attention", "MLP", "expert", "routing weight", "activation",
        "bias", "logit", "probability", "rank", "entropy", "carried", "threshold", "unexplained",
    }  # fmt: skip
    assert set(table) == set(GLOSSARY) - explained_elsewhere


def test_every_package_that_is_asked_for_stands_with_its_size_and_licence():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[\[>=<]", line)[0] for line in project["dependencies"]}
    table = rows("dependencies.md", "| package | MB | licence |")
    assert {package for package, _, _ in table} == wanted
    assert all(size and licence for _, size, licence in table)


def test_the_pythons_that_are_classified_are_those_that_the_docs_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [c.rpartition(" ")[2] for c in project["classifiers"] if ":: Python :: 3." in c]
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    said = text.split("## Pythons\n\n")[1].split("`")[0]
    assert re.findall(r"3\.\d\d", said) == named


@pytest.mark.parametrize("explorable", EXPLORABLES.values(), ids=lambda one: one.name)
def test_every_explorable_has_a_page_that_names_all_that_can_be_chosen(explorable: Explorable):
    table = rows("explorables.md", "| command | in the app | what it answers |")
    link = f"[`visit explore {explorable.name}`](explore/{explorable.name}.md)"
    assert [link, explorable.title, explorable.asks] in table
    page = (ROOT / "docs" / "explore" / f"{explorable.name}.md").read_text(encoding="utf-8")
    for option in options_of(explorable.question):
        assert f"--{option.name.replace('_', '-')}" in page


def test_no_explorable_is_listed_that_there_is_not():
    table = rows("explorables.md", "| command | in the app | what it answers |")
    assert [title for _, title, _ in table] == [one.title for one in EXPLORABLES.values()]
