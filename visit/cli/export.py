"""``visit export``: a document in another program's format."""

from __future__ import annotations

from argparse import Namespace

from visit.cli.options import FILE_HELP, Parser
from visit.cli.streams import write_result
from visit.formats.registry import FORMATS, Maker, formats_made_by


def describe(command: Parser) -> None:
    """The options of ``visit export``."""
    command.add_argument("file", metavar="FILE", help=FILE_HELP)
    command.add_argument(
        "--to",
        required=True,
        choices=list(formats_made_by(Maker.COMMAND_LINE)),
        help="the format; html is one file that works offline, svg a picture of the route, and csv "
        "makes two files, OUT.nodes.csv and OUT.edges.csv",
    )
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
    if write is None:
        from visit.formats.drawable import check_drawable
        from visit.web.exports.downloads import DRAWN

        check_drawable(flow)
        write = DRAWN[arguments.to]
    written = export(flow, write, path)
    write_result("".join(f"{one}\n" for one in written))
