"""``visit export``: a document in another program's format."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from functools import partial

from visit.cli.options import FILE_HELP, Parser
from visit.cli.progress import progress_bar
from visit.cli.streams import write_result
from visit.errors import OutputError
from visit.formats.registry import FORMATS, Maker, formats_made_by


def describe(command: Parser) -> None:
    """The options of ``visit export``."""
    command.add_argument("file", metavar="FILE", help=FILE_HELP)
    command.add_argument(
        "--to",
        required=True,
        choices=list(formats_made_by(Maker.COMMAND_LINE)),
        help="the format; html is one file that works offline, svg a figure of the route, and csv "
        "makes two files, OUT.nodes.csv and OUT.edges.csv",
    )
    figure = command.add_argument_group("figures", "Of --to svg.")
    figure.add_argument(
        "--width-mm",
        type=float,
        default=180.0,
        metavar="MM",
        help="how wide it is on paper; a wide graph is broken into strips (default: 180)",
    )
    figure.add_argument(
        "--font-pt",
        type=float,
        default=8.0,
        metavar="PT",
        help="the size of its letters (default: 8)",
    )
    figure.add_argument(
        "--theme", choices=["light", "dark"], default="light", help="its colours (default: light)"
    )
    figure.add_argument("--title", default="", help="what stands above it")
    command.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the file to write (default: FILE's name with the format's ending)",
    )


def run(arguments: Namespace) -> None:
    """Write a document in another format, and say where."""
    from visit.formats.document import read_flow
    from visit.formats.export import export, path_beside

    flow = read_flow(arguments.file)
    path = arguments.output or path_beside(arguments.file, arguments.to)
    write = FORMATS[arguments.to].write
    if write is not None:
        written = export(flow, write, path)
    else:
        from visit.formats.drawable import check_drawable

        check_drawable(flow)
        draw = _choose_drawing(arguments)
        with progress_bar() as tell:
            written = export(flow, lambda flow: draw(flow, tell=tell), path)
    write_result("".join(f"{one}\n" for one in written))


def _choose_drawing(arguments: Namespace) -> Callable[..., str]:
    """What draws the format, in the sizes that are asked for.

    Raises:
        OutputError: no figure can have them.
    """
    from visit.web.exports.downloads import DRAWN
    from visit.web.exports.figures.paper import Paper
    from visit.web.exports.svg import svg_from_flow
    from visit.web.look import Look

    if arguments.to != "svg":
        return DRAWN[arguments.to]
    try:
        paper = Paper(arguments.width_mm, arguments.font_pt, arguments.title)
    except ValueError as mistake:
        raise OutputError(str(mistake)) from None
    return partial(svg_from_flow, look=Look(theme=arguments.theme), paper=paper)
