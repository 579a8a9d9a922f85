"""What a command found, as it was asked for: a summary, a document, or both."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime

from visit.cli.streams import write_result
from visit.errors import RequestError


def check_output(arguments: Namespace) -> None:
    """Find out, before a model is loaded, that the document can be written.

    Raises:
        OutputError: it cannot.
    """
    if arguments.output not in (None, "-"):
        from visit.formats.files import check_writable

        check_writable(arguments.output)


def check_measured(by: str, *, measures: bool) -> None:
    """Refuse a summary by effect of what measures none.

    Raises:
        RequestError: it would be one.
    """
    if by == "effect" and not measures:
        raise RequestError(
            "--by is effect, but --no-effects leaves nothing measured; leave --no-effects out, or "
            "rank by flow"
        )


def write_answer(
    arguments: Namespace, summary: Callable[[], str], document: Callable[[str | None], str]
) -> None:
    """Write an answer to standard output or a file, as ``--summary`` and ``-o`` have it.

    Args:
        arguments: With ``summary``, ``output`` and ``reproducible``.
        summary: Says it in a few lines.
        document: Makes it JSON text, with the time it was made, unless that is left out.

    Raises:
        OutputError: it cannot be written.
        DocumentError: it cannot be said in JSON.
    """
    from visit.formats.files import write_whole

    if arguments.summary:
        write_result(summary())
    if arguments.summary and arguments.output is None:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    text = document(None if arguments.reproducible else now)
    if arguments.output in (None, "-"):
        write_result(text.encode("utf-8"))
    else:
        write_whole(arguments.output, text)
