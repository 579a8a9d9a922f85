"""The commands ``visit atlas …``: what every memory, attention neuron and bias of a model says."""

from __future__ import annotations

import json
import shutil
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from visit.cli.options import (
    Command,
    Parser,
    add_model,
    add_nothing,
    add_running,
    check_unicode,
    running_from_arguments,
)
from visit.cli.progress import progress_bar
from visit.cli.streams import write_result
from visit.engine.progress import Progress
from visit.errors import OutputError, RequestError
from visit.graph.flow import NodeKind
from visit.graph.typed import token_from_typed
from visit.text import align, duration, one_line, shorten, size, visible

if TYPE_CHECKING:
    from visit.lens.atlas import Atlas, Found

OpenAtlas = Callable[[], "Atlas"]
"""Loads the model that the arguments name and gives its atlas."""

_ROW_KINDS = ("memory-value", "memory-key", "attn-neuron", "attn-bias", "mlp-bias")
_N_TOKENS = 5
_LONGEST_TOKEN = 18


def describe_build(command: Parser) -> None:
    """The options of ``visit atlas build``."""
    add_model(command)
    add_running(command)


def describe_search(command: Parser) -> None:
    """The options of ``visit atlas search``."""
    command.add_argument(
        "token", metavar="TOKEN", nargs="?", help='one token, leading space included, like " Tokyo"'
    )
    command.add_argument(
        "--like",
        metavar="ROW",
        help="instead of a token: the rows that say what a row says, like L3.memory150, "
        "L3.memory150.key, L3.attn_neuron17 or --like=-L3.memory150 for its opposite",
    )
    command.add_argument(
        "--kind",
        metavar="KIND",
        choices=_ROW_KINDS,
        action="append",
        help=f"the kind of rows to look among: {', '.join(_ROW_KINDS)}; may be given again "
        "(default: all)",
    )
    command.add_argument(
        "--top",
        metavar="N",
        type=_at_least_one,
        default=20,
        help="rows to list (default: %(default)s)",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    add_model(command)
    add_running(command)


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
    """The rows that promote and suppress a token, or that resemble a row: tables, or JSON."""
    check_unicode("token", arguments.token or "")
    if (arguments.token is None) == (arguments.like is None):
        given = "neither a token nor" if arguments.token is None else "both a token and"
        raise RequestError(f"{given} --like is given; give one of them")
    from visit.lens.atlas import KINDS

    atlas = open_atlas()
    kinds = [NodeKind(kind.replace("-", "_")) for kind in arguments.kind or ()] or KINDS
    if atlas.is_quick() and not atlas.is_whole():
        atlas.build(lambda part: progress("building", part))
    if arguments.like is not None:
        found = {"like": atlas.like(arguments.like, kinds, arguments.top)}
        titles = {"like": f"rows that say what {one_line(arguments.like)} says"}
    else:
        token = token_from_typed(arguments.token)
        promote, suppress = atlas.search(token, kinds, arguments.top)
        found = {"promote": promote, "suppress": suppress}
        shown = visible(token) if isinstance(token, str) else arguments.token
        titles = {name: f"rows that {name} {shown}" for name in found}
    if arguments.json:
        asked = {"model": arguments.model, "token": arguments.token, "row": arguments.like}
        rows = {name: [_plain(row) for row in rows] for name, rows in found.items()}
        return json.dumps({**asked, **rows}, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    blocks = ["\n".join([titles[name], *_table(rows)]) for name, rows in found.items()]
    return "\n\n".join(blocks) + "\n"


def list_(arguments: Namespace, open_atlas: OpenAtlas, progress: Progress) -> str:
    """Every atlas on this machine, with its size."""
    from visit.lens.atlas.folders import cache_folder

    root = cache_folder()
    rows = [
        (folder.name, size(sum(file.stat().st_size for file in folder.iterdir())), _model(folder))
        for folder in _folders(root)
    ]
    return "\n".join([str(root), *(align(rows, {1}) if rows else [" no atlas"])]) + "\n"


def clear(arguments: Namespace, open_atlas: OpenAtlas, progress: Progress) -> str:
    """Remove every atlas."""
    from visit.lens.atlas.folders import cache_folder

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
    from visit.lens.atlas.folders import is_name

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
            shorten(visible(token.text), _LONGEST_TOKEN) for token in row.reading.top[:_N_TOKENS]
        )
        rows.append(("", str(row.row), *numbers, says))
    return align(rows, set(range(2, len(header) - 1)))


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


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no count; give 1 or more")
    return int(text)


def _print_result_of(
    command: Callable[[Namespace, OpenAtlas, Progress], str],
) -> Callable[[Namespace], None]:
    """A command that prints what another returns; a model is loaded only where it asks for one."""

    def run(arguments: Namespace) -> None:
        with progress_bar() as progress:

            def open_atlas() -> Atlas:
                from visit.session import Session

                running = running_from_arguments(arguments)
                return Session.load(arguments.model, **running, progress=progress).atlas

            text = command(arguments, open_atlas, progress)
        write_result(text)

    return run


COMMANDS = {
    "build": Command(
        "measure every row of a model, once for all", describe_build, _print_result_of(build)
    ),
    "search": Command(
        "find the rows that promote or suppress a token", describe_search, _print_result_of(search)
    ),
    "list": Command("list the atlases on this machine", add_nothing, _print_result_of(list_)),
    "clear": Command(
        "remove all atlases; they can be built again", add_nothing, _print_result_of(clear)
    ),
}
