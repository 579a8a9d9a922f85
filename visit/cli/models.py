"""``visit models``: what can be run."""

from __future__ import annotations

from argparse import Namespace

from visit.text import one_line


def run(arguments: Namespace) -> None:
    """List the families that can be taken apart, and the models that are here already."""
    from visit.models.architectures import families
    from visit.models.loading import MINI, cached_models

    _print_table("families that can be taken apart", families())
    print()
    _print_table("models that need no download", {MINI: "bundled, the default", **cached_models()})


def _print_table(title: str, notes: dict[str, str]) -> None:
    width = max(map(len, notes))
    print(title)
    for name, note in notes.items():
        print(f"  {one_line(name):<{width}}  {one_line(note)}")
