"""Whether what a command line gives where a text may stand is the name of a file."""

from __future__ import annotations

from pathlib import Path

from visit.errors import RequestError

_BEGINNINGS = ("/", "./", "../", "~/")
_ENDINGS = {
    ".txt", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".html", ".htm",
}  # fmt: skip


def is_there(given: str) -> bool:
    """Whether it is a file's name; too long a name is a text."""
    try:
        return Path(given).is_file()
    except (OSError, ValueError):
        return False


def looks_like_file(given: str) -> bool:
    """Whether it is written as a file's name is.

    It begins as a path or ends as a file does. Where it has spaces it does both: a sentence may end
    in ``config.json``, and a line of code begin with ``//``.
    """
    begins = given.startswith(_BEGINNINGS)
    ends = Path(given).suffix.lower() in _ENDINGS
    return (begins and ends) if any(map(str.isspace, given)) else (begins or ends)


def check_no_lost_file(given: str, instead: str) -> None:
    """Refuse the name of a file that is not there, which would be read as a text.

    Args:
        given: What the command line gives.
        instead: What else may be given, for the message.

    Raises:
        RequestError: it is one.
    """
    if looks_like_file(given) and not is_there(given):
        raise RequestError(f"there is no file {given}; give one that there is, or {instead}")
