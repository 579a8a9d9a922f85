"""``visit models``: what can be run."""

from __future__ import annotations

from argparse import Namespace

from visit.cli.streams import write_result
from visit.text import one_line


def run(arguments: Namespace) -> None:
    """List the families that can be taken apart, and the models that are here already."""
    from visit.models.architectures import families
    from visit.models.loading import MINI, cached_models

    here = {MINI: "bundled, the default", **cached_models()}
    lines = [
        *_table("families that can be taken apart", families()),
        "",
        *_table("models that need no download", here),
    ]
    write_result("".join(f"{line}\n" for line in lines))


def _table(title: str, notes: dict[str, str]) -> list[str]:
    width = max(map(len, notes))
    rows = [f"  {one_line(name):<{width}}  {one_line(note)}" for name, note in notes.items()]
    return [title, *rows]
