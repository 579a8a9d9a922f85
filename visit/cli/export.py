"""``visit export``: a document in another program's format."""

from __future__ import annotations

from argparse import Namespace

from visit.cli.options import FILE_HELP, Parser


def describe(command: Parser) -> None:
    """The options of ``visit export``."""
    command.add_argument("file", metavar="FILE", help=FILE_HELP)
    command.add_argument(
        "--to",
        required=True,
        choices=["html", "json", "graphml", "gexf", "cyjs", "csv"],
        help="the format; html is one file that works offline, and csv makes two, OUT.nodes.csv "
        "and OUT.edges.csv",
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
    from visit.formats.export import Format, export, path_beside

    flow = read_flow(arguments.file)
    path = arguments.output or path_beside(arguments.file, arguments.to)
    if arguments.to == "html":
        from visit.web.exports.offline import write_html

        write_html(flow, path)
        print(path)
    else:
        for written in export(flow, Format(arguments.to), path):
            print(written)
