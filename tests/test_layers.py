"""Who may import whom, as design.md's table has it, and what an import may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "visit"

PLAIN = {"errors", "flow"}
TENSORS = {
    "architectures", "hooks", "trace", "tokens", "positions", "projections", "measured",
    "vocabulary", "readings", "circuits", "attribution", "precision",
}  # fmt: skip
EVERYTHING = None

# A room may import itself, the rooms named here, and `visit` for its version.
MAY_IMPORT: dict[str, set[str] | None] = {
    "__init__": {"document", "errors", "flow", "session"},
    "errors": set(),
    "circuits": set(),
    "precision": set(),
    "text": set(),
    "files": {"errors"},
    "schema": {"errors"},
    "ids": set(),
    "chat": {"errors"},
    "flow": {"chat", "errors", "ids"},
    "embedded": {"errors"},
    "document": PLAIN | {"embedded", "files", "schema"},
    "export": PLAIN | {"document", "files", "text"},
    "summary": PLAIN | {"text"},
    "engine": PLAIN,
    "mini": {"errors"},
    "architectures": PLAIN,
    "spelling": set(),
    "prompts": {"chat", "errors"},
    "tokens": PLAIN | {"chat", "prompts", "spelling"},
    "hooks": {"architectures", "precision"},
    "trace": PLAIN | {"architectures", "hooks", "precision"},
    "projections": {"circuits", "architectures", "precision", "trace"},
    "measured": set(),
    "vocabulary": {"architectures", "measured", "precision"},
    "readings": PLAIN | {"measured", "tokens", "vocabulary"},
    "attribution": PLAIN | {"circuits", "architectures", "precision", "trace"},
    "positions": {
        "circuits",
        "architectures",
        "attribution",
        "precision",
        "projections",
        "trace",
    },
    "build": PLAIN | TENSORS | {"atlas", "engine"},
    "gguf_tokens": set(),
    "loading": PLAIN | {"architectures", "files", "gguf_tokens", "mini", "text"},
    "atlas": PLAIN
    | {
        "architectures",
        "engine",
        "files",
        "measured",
        "precision",
        "readings",
        "text",
        "tokens",
        "vocabulary",
    },
    "turns": {"engine"},
    "session": PLAIN | TENSORS | {"atlas", "build", "engine", "loading", "mini", "text", "turns"},
    "web": PLAIN | {"document", "embedded", "engine", "export", "files", "text", "turns"},
    "options": PLAIN | {"text"},
    "cli": EVERYTHING,
}


def rooms() -> set[str]:
    return {
        path.stem if path.is_file() else path.name
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }


def imported_rooms(path: Path) -> set[str]:
    """The rooms that a module imports, anywhere in it, for type checking too."""
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
        parts = [name.split(".") for name in names]
        found |= {name[1] for name in parts if name[0] == "visit" and len(name) > 1}
    return found - {"__version__"}


def test_every_room_is_in_the_table():
    assert rooms() == set(MAY_IMPORT)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_the_rooms_it_may(room: str):
    allowed = MAY_IMPORT[room]
    if allowed is EVERYTHING:
        allowed = rooms()
    folder = PACKAGE / room
    modules = sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{room}.py"]
    wrong = {
        f"{module.relative_to(PACKAGE.parent)} imports visit.{other}"
        for module in modules
        for other in imported_rooms(module) - allowed - {room}
    }
    assert wrong == set()


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=PACKAGE.parent
    ).stdout


@pytest.mark.parametrize(
    "module", ["visit", "visit.web.app", "visit.cli.main", "visit.web.exports.offline"]
)
def test_the_plain_half_loads_no_torch(module: str):
    heavy = "{'torch', 'transformers', 'safetensors'}"
    assert run(f"import sys, {module}; print(sys.modules.keys() & {heavy})") == "set()\n"


def test_importing_visit_takes_less_than_0_3_seconds():
    code = "from time import perf_counter as now; start = now(); import visit; print(now() - start)"
    assert min(float(run(code)) for _ in range(5)) < 0.3


def test_the_public_names_are_those_that_load():
    code = "import visit; print([n for n in visit.__all__ if getattr(visit, n, None) is None])"
    assert run(code) == "[]\n"
