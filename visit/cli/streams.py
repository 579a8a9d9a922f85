"""Standard input, output and error as a caller may leave them: closed, full, or read by nobody."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Literal

from visit.errors import OutputError

_STREAMS = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))
"""Each stream, and how its stand-in is opened: so that reading input and writing output fail."""


def open_closed_streams() -> None:
    """Put a stand-in where the caller closed a standard stream, as ``visit trace >&-`` does.

    Without one, the next file to be opened would take the stream's number, and what is written to
    the stream. Only what is said on a closed standard error is lost without a word.
    """
    for number, (name, mode, flags) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            # It must outlive this function, as every standard stream does.
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))


def write_result(result: str | bytes) -> None:
    """Write what a command was asked for to standard output, all of it.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: the program that read it has ended.
    """
    try:
        if isinstance(result, str):
            sys.stdout.write(result)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(result)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise refuse_output(error) from None


def refuse_output(error: OSError) -> OutputError:
    """Why standard output cannot be written; what is left of it goes nowhere."""
    give_up("stdout")
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"standard output cannot be written: {reason}; send it elsewhere")


def give_up(name: Literal["stdout", "stderr"]) -> None:
    """Let what a stream still holds go nowhere: Python's flush at exit must not fail again."""
    with contextlib.suppress(OSError):  # a stream that has no number of its own
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), getattr(sys, name).fileno())
