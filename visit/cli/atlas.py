"""The commands ``visit atlas …``: each returns what to print."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from visit.engine.protocol import Progress
from visit.errors import OutputError, RequestError
from visit.graph.flow import NodeKind
from visit.lens.atlas import KINDS, Atlas, Found
from visit.lens.atlas.folders import cache_folder, is_name
from visit.text import aligned, duration, one_line, shortened, size, visible

OpenAtlas = Callable[[], Atlas]
"""Loads the model that the arguments name and gives its atlas."""

_BUILT_UNASKED = 10**11
"""Multiplications that a build may take for a search to do it by itself: some ten seconds."""

_N_TOKENS = 5
_LONGEST_TOKEN = 18


def build(arguments: Namespace, open_atlas: OpenAtlas, progress: Progress) -> str:
    """Build what is missing of a model's atlas; returns what it took and where it is."""
    atlas = open_atlas()
    cost = atlas.build(lambda part: progress("building", part))
    measured = f"{cost.rows:,} rows measured in {duration(cost.seconds)}"
    if not cost.rows:
        measured = "built already"
    whole = f"{atlas.n_rows:,} rows, {size(cost.bytes)}"
    return f"the atlas of {one_line(arguments.model)}: {whole}; {measured}\n{atlas.folder}\n"


def search(arguments: Namespace, open_atlas: OpenAtlas, progress: Progress) -> str:
    """What speaks for a token and against it, or what is like a row: tables, or JSON."""
    if (arguments.token is None) == (arguments.like is None):
        given = "neither a token nor" if arguments.token is None else "both a token and"
        raise RequestError(f"{given} --like is given; give one of them")
    atlas = open_atlas()
    kinds = [NodeKind(kind.replace("-", "_")) for kind in arguments.kind or ()] or KINDS
    if atlas.n_multiplications <= _BUILT_UNASKED and not atlas.is_whole():
        atlas.build(lambda part: progress("building", part))
    if arguments.like is not None:
        found = {"like": atlas.like(arguments.like, kinds, arguments.top)}
        titles = {"like": f"rows that say what {one_line(arguments.like)} says"}
    else:
        promote, suppress = atlas.search(arguments.token, kinds, arguments.top)
        found = {"promote": promote, "suppress": suppress}
        token = visible(arguments.token)
        titles = {name: f"rows that {name} {token}" for name in found}
    if arguments.json:
        asked = {"model": arguments.model, "token": arguments.token, "row": arguments.like}
        rows = {name: [_plain(row) for row in rows] for name, rows in found.items()}
        return json.dumps({**asked, **rows}, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    blocks = ["\n".join([titles[name], *_table(rows)]) for name, rows in found.items()]
    return "\n\n".join(blocks) + "\n"


def list_(arguments: Namespace, open_atlas: OpenAtlas, progress: Progress) -> str:
    """Every atlas on this machine, with its size."""
    root = cache_folder()
    rows = [
        (folder.name, size(sum(file.stat().st_size for file in folder.iterdir())), _model(folder))
        for folder in _folders(root)
    ]
    return "\n".join([str(root), *(aligned(rows, {1}) if rows else [" no atlas"])]) + "\n"


def clear(arguments: Namespace, open_atlas: OpenAtlas, progress: Progress) -> str:
    """Remove every atlas."""
    root = cache_folder()
    folders = _folders(root)
    try:
        for folder in folders:
            shutil.rmtree(folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"the atlas {folder} cannot be removed: {reason}") from None
    return f"removed {len(folders)} from {root}\n"


def _folders(root: Path) -> list[Path]:
    """The folders of atlases; a user may keep other things beside them."""
    return [path for path in sorted(root.glob("*/")) if is_name(path.name)]


def _table(found: Sequence[Found]) -> list[str]:
    if not found:
        return ["   none"]
    is_like = found[0].correlation is not None
    header = (
        "",
        "row",
        *(("correlation",) if is_like else ("probability", "rank", "logit")),
        "says",
    )
    rows = [header]
    for row in found:
        target = row.reading.target
        numbers = (
            (f"{row.correlation:+.4f}",)
            if is_like
            else (f"{target.prob:.3g}", f"{target.rank}", f"{target.logit:+.3f}")
        )
        says = " ".join(
            shortened(visible(token.text), _LONGEST_TOKEN) for token in row.reading.top[:_N_TOKENS]
        )
        rows.append(("", str(row.row), *numbers, says))
    return aligned(rows, set(range(2, len(header) - 1)))


def _plain(found: Found) -> dict[str, object]:
    """A found row as JSON has it; a correlation only where there is one."""
    reading = found.reading
    plain: dict[str, object] = {
        "row": str(found.row),
        "top": [token._asdict() for token in reading.top],
        "bottom": [token._asdict() for token in reading.bottom],
        "target": asdict(reading.target),
        "entropy": reading.entropy,
        "norm": reading.norm,
    }
    return plain if found.correlation is None else {**plain, "correlation": found.correlation}


def _model(folder: Path) -> str:
    """The model that an atlas was built of, by the name that it was last built under."""
    try:
        return one_line(str(json.loads((folder / "about.json").read_text("utf-8"))["model"]))
    except (OSError, ValueError, LookupError, TypeError):
        return "rows that graphs needed"


COMMANDS = {"build": build, "search": search, "list": list_, "clear": clear}
