"""Who may import whom, as design.md's table has it, and what an import may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import networkx
import pytest

PACKAGE = Path(__file__).parent.parent / "visit"
ASSETS = PACKAGE.parent / "assets"

BELOW_ALL = {"errors", "text"}
PLAIN = BELOW_ALL | {"graph"}
MODELS = PLAIN | {"models", "mini", "formats.files"}
TENSORS = MODELS | {"tracing", "attribution", "lens"}

# What a folder or module of the package may import: whole folders, or one module of a folder.
# Every one may import itself, and `visit` for its version. docs/architecture.md shows the table.
MAY_IMPORT: dict[str, set[str] | None] = {
    "__main__": {"cli"},
    "__init__": {"errors", "formats", "graph", "session"},
    "errors": set(),
    "text": set(),
    "mini": {"errors"},
    "graph": BELOW_ALL,
    "formats": PLAIN,
    "engine": PLAIN,
    "models": MODELS,
    "tracing": MODELS | {"tracing"},
    "attribution": MODELS | {"tracing"},
    "lens": MODELS | {"tracing"},
    "explore": MODELS | {"tracing", "attribution", "lens"},
    "assemble": TENSORS | {"engine", "explore"},  # questions and progress: plain types
    "session": TENSORS | {"assemble", "engine", "formats"},
    # The session only inside a worker; of mini, what it was taught: plain texts.
    "studies": PLAIN
    | {"engine", "formats", "session"}
    | {"mini.documents", "mini.facts", "mini.givers", "mini.lexicon"},
    "web": PLAIN | {"engine", "formats"},
    "cli": None,  # everything
}
MOST_LINES, MOST_ENTRIES, MOST_FILES = 400, 19, 12


def modules() -> dict[str, Path]:
    """Every module of the package by its name below it: ``graph.ids``, and ``graph`` itself."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"] = path
    return found


MODULES = modules()


def imported(name: str) -> set[str]:
    """The modules that a module imports, anywhere in it, for type checking too."""
    path = MODULES[name]
    package = ["visit", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for full in names:
            if full == "visit" or not full.startswith("visit."):
                continue
            below = full.removeprefix("visit.")
            while below and below not in MODULES:  # a name in a module is that module
                below = below.rpartition(".")[0]
            found.add(below or "__init__")
    return found - {name, "__init__"}


def room(module: str) -> str:
    return module.partition(".")[0]


def test_every_room_is_in_the_table():
    assert {room(name) for name in MODULES} == set(MAY_IMPORT)


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_it_may(name: str):
    allowed = MAY_IMPORT[name]
    if allowed is None:
        return
    wrong = {
        f"{module} imports {other}"
        for module in MODULES
        if room(module) == name
        for other in imported(module)
        if not allowed & {other, room(other)} and room(other) != name
    }
    assert wrong == set()


def test_no_module_imports_itself_by_way_of_others():
    """A folder's ``__init__`` may gather what its modules have; they never import it back."""
    graph = networkx.DiGraph((module, other) for module in MODULES for other in imported(module))
    assert [sorted(ring) for ring in networkx.simple_cycles(graph)] == []


def test_no_file_is_too_long_and_no_folder_too_full():
    files = [*PACKAGE.rglob("*.py"), *ASSETS.rglob("*.js"), *ASSETS.rglob("*.css")]
    lengths = {str(f): len(f.read_text(encoding="utf-8").splitlines()) for f in files}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
    entries = [p.name for p in PACKAGE.iterdir() if p.name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES, entries
    for folder in (PACKAGE / "web").rglob("*/"):
        held = [p.name for p in folder.glob("*.*") if p.suffix != ".pyc"]
        assert len(held) <= MOST_FILES, folder


@pytest.mark.parametrize("folder", sorted(p.parent for p in PACKAGE.rglob("__init__.py")))
def test_a_folder_says_what_it_is_for(folder: Path):
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=PACKAGE.parent
    ).stdout


@pytest.mark.parametrize(
    "module",
    [
        "visit", "visit.web.app", "visit.cli.main", "visit.web.exports.offline", "visit.studies",
        "visit.studies.running, visit.studies.cluster, visit.studies.reading",
    ],
)  # fmt: skip
def test_the_plain_half_loads_no_torch(module: str):
    heavy = "{'torch', 'transformers', 'safetensors', 'ray', 'pyarrow'}"
    assert run(f"import sys, {module}; print(sys.modules.keys() & {heavy})") == "set()\n"


def test_importing_visit_takes_less_than_0_3_seconds():
    code = "from time import perf_counter as now; start = now(); import visit; print(now() - start)"
    assert min(float(run(code)) for _ in range(5)) < 0.3


def test_the_public_names_are_those_that_load():
    code = "import visit; print([n for n in visit.__all__ if getattr(visit, n, None) is None])"
    assert run(code) == "[]\n"
