"""The command line's entry: its commands in a table, exit codes, and how the process behaves.

What is heavy is imported inside the command that needs it.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import traceback
from collections.abc import Sequence

from visit import __version__
from visit.cli import (
    INTERRUPTED,
    ablate,
    atlas,
    circuit,
    compare,
    consensus,
    explore,
    export,
    generate,
    models,
    serve,
    study,
    trace,
    why,
)
from visit.cli.options import (
    USERS_FAULT,
    Command,
    Group,
    Parser,
    add_commands,
    complain,
)
from visit.cli.streams import give_up, open_closed_streams, refuse_output
from visit.errors import VisitError

_OUR_FAULT, _PIPE_CLOSED = 70, 141


COMMANDS: dict[str, Command | Group] = {
    "trace": Command(
        "explain one prediction, as a JSON document or a summary", trace.describe, trace.run
    ),
    "ablate": Command(
        "measure what parts cause: take them away, or change them, and run again",
        ablate.describe_ablate,
        ablate.ablate,
    ),
    "patch": Command(
        "measure where two prompts' answers part: put one's values into the other's pass",
        ablate.describe_patch,
        ablate.patch,
    ),
    "circuit": Command(
        "find the parts that keep a prediction while all others are ablated",
        circuit.describe,
        circuit.run,
    ),
    "compare": Command(
        "see what differs between two prompts, targets, models or documents",
        compare.describe,
        compare.run,
    ),
    "why": Command(
        "see why a head attends: one score by the parts of its query and key",
        why.describe,
        why.run,
    ),
    "consensus": Command(
        "see what holds over many prompts with the same slots", consensus.describe, consensus.run
    ),
    "generate": Command(
        "let the model go on after a prompt, or read a given continuation, token by token",
        generate.describe,
        generate.run,
    ),
    "explore": Group("look at a pass in other ways than the flow graph", explore.COMMANDS),
    "study": Group("measure something of thousands of prompts, and report it", study.COMMANDS),
    "serve": Command("open the app with a model in memory", serve.describe_serve, serve.serve),
    "show": Command(
        "open a document in the viewer; needs no model", serve.describe_show, serve.show
    ),
    "export": Command("write a document in another program's format", export.describe, export.run),
    "models": Group("list what can be run, or fetch it", models.COMMANDS, alone=models.list_all),
    "atlas": Group("search what every memory and attention neuron says", atlas.COMMANDS),
}


def parser() -> Parser:
    """The whole command line."""
    whole = Parser(
        prog="visit",
        description="See how a GPT's prediction flows through its layers, exactly and in words.",
    )
    whole.add_argument("--version", action="version", version=f"visit {__version__}")
    add_commands(whole, COMMANDS)
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one line and code 2."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    _quieten_libraries()
    _share_processors()
    _collect_seldom()
    try:
        try:
            return _run(parser().parse_args(argv))
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        give_up("stdout")  # the program reading our output has ended
        return _PIPE_CLOSED
    except OSError as error:  # the flush failed: a command's own errors have been told
        complain(str(refuse_output(error)))
        return USERS_FAULT


def _run(arguments: argparse.Namespace) -> int:
    try:
        arguments.run(arguments)
    except BrokenPipeError:
        raise
    except Exception as error:
        if _comes_of_interruption(error):
            raise KeyboardInterrupt from error
        is_theirs = isinstance(error, VisitError)
        if arguments.debug:
            traceback.print_exc()
        elif is_theirs:
            complain(str(error))
        else:
            complain(f"a fault of ours, {type(error).__name__}: {error}; --debug says where")
        return USERS_FAULT if is_theirs else _OUR_FAULT
    return 0


def _comes_of_interruption(error: BaseException | None) -> bool:
    """Whether Ctrl + C is behind an error: Python and libraries wrap it, in an import above all."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


# ---------------------------------------------------------------- the process


def _quieten_libraries() -> None:
    """Silence libraries on stderr; environment variables that the user has set are kept."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")  # gguf's own bar


WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}
"""How torch's threads wait for each other: they spin for some microseconds, then sleep."""


def _share_processors() -> None:
    """Let torch's threads sleep while they wait; a user's own setting stands.

    By default they spin. Where anything else wants the processor too, a browser on the same machine
    for one, each then spins while the other waits to run, and a trace takes up to nine times as
    long. OpenMP reads this when torch is imported, which no command has done yet.
    """
    if os.environ.keys().isdisjoint(WAITING):
        os.environ.update(WAITING)


def _collect_seldom() -> None:
    """Run the cyclic garbage collector every 10,000 new objects instead of every 700.

    A whole graph makes 30,000, none of them in a cycle. Everything stands still for a run: those
    that visit torch's and transformers' objects, or a server's graphs, take up to a second and are
    rare, and what many small runs find is freed in as many pieces.
    """
    gc.set_threshold(10_000, 20, 200)
