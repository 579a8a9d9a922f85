"""Where the ``visit`` program begins: it imports nothing slow before it listens to Ctrl + C."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from visit.cli import INTERRUPTED


def main() -> int:
    """Run the command line, and end quietly if Ctrl + C comes before it, in it or after it."""
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # nohup, say, does not
    try:
        if listens:
            signal.signal(signal.SIGINT, _leave)  # nothing is open yet that could be left half done
        from visit.cli.main import main as run

        if listens:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return run()
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if listens:  # while Python cleans up
            signal.signal(signal.SIGINT, _leave)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
