"""Where a prompt comes from: the command line itself, a file, or standard input."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from visit.cli.options import Parser, check_unicode
from visit.errors import RequestError

_MOST_BYTES = 64 * 2**20
_STDIN = "-"


def add_prompt(command: Parser, says: str) -> None:
    """The prompt, and the file that may hold it.

    Args:
        command: The command.
        says: What PROMPT is.
    """
    command.add_argument("prompt", metavar="PROMPT", nargs="?", help=f"{says}; - for stdin")
    command.add_argument(
        "--prompt-file",
        metavar="FILE",
        help="a file that holds PROMPT, in UTF-8; - for stdin. A line end at its end is left out",
    )


def names_prompt(arguments: Namespace) -> bool:
    """Whether a command line says what its prompt is."""
    return arguments.prompt is not None or arguments.prompt_file is not None


def check_prompt_named(arguments: Namespace, command: str) -> None:
    """Refuse a command line that says its prompt neither in words nor by ids.

    Raises:
        RequestError: it does not.
    """
    if not names_prompt(arguments) and arguments.prompt_ids is None:
        raise RequestError(
            f"the following arguments are required: PROMPT; visit {command} -h says what is allowed"
        )


def prompt_from_arguments(arguments: Namespace) -> str | None:
    """The prompt that a command line gives or names; ``None`` where it does neither.

    Raises:
        RequestError: it does both, or what it names cannot be read as UTF-8.
    """
    prompt, file = arguments.prompt, arguments.prompt_file
    if prompt is not None and file is not None:
        raise RequestError("PROMPT and --prompt-file are both given; give one of them")
    if file is None and prompt != _STDIN:
        return None if prompt is None else str(prompt)
    return read_text(file or prompt)


def text_or_file(said: str, what: str) -> str:
    """A text that is given, or after an ``@`` the file that it stands in.

    Args:
        said: What the command line says.
        what: What the text is, for messages.

    Raises:
        RequestError: the file cannot be read, or the text is not UTF-8.
    """
    text = read_text(said[1:], what) if said.startswith("@") else said
    check_unicode(what, text)
    return text


def read_text(name: str, what: str = "prompt") -> str:
    """A file's text, without a byte order mark, and without the line end that closes it.

    Args:
        name: The file's; ``-`` for standard input.
        what: What it holds, for messages.

    Raises:
        RequestError: it cannot be read as UTF-8, is empty, or is too large.
    """
    said = "standard input" if name == _STDIN else name
    try:
        if name == _STDIN:
            content = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"the {what} in {said} is not UTF-8 at byte {error.start}; save it in UTF-8"
        ) from None
    except (OSError, ValueError) as error:  # a name with a zero byte in it is a ValueError
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise RequestError(f"the {what} in {said} cannot be read: {reason}") from None
    if len(content) > _MOST_BYTES:
        raise RequestError(
            f"the {what} in {said} is larger than {_MOST_BYTES // 2**20} MB; give a shorter one"
        )
    text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not text:
        raise RequestError(f"the {what} in {said} is empty; give at least one token of text")
    return text
