"""``visit models``: what can be run, and what is kept of it on this machine."""

from __future__ import annotations

from argparse import Namespace

from visit.cli.options import Command, Parser, add_nothing, add_running, running_from_arguments
from visit.cli.progress import progress_bar
from visit.cli.streams import write_result
from visit.text import one_line, size


def list_all(arguments: Namespace) -> None:
    """List the families that can be taken apart, and the models that are here or near."""
    from visit.models.architectures import families
    from visit.models.loading import MINI, cached_models, packaged_models
    from visit.models.loading.converted import converted_folder, kept_models

    here = {MINI: "bundled, the default", **packaged_models(), **cached_models()}
    lines = [
        *_table("families that can be taken apart", families()),
        "",
        *_table("models to begin with, and those in the hub's cache", here),
    ]
    n_kept, n_bytes = kept_models()
    if n_kept:
        lines += ["", f"GGUF files converted: {n_kept}, {size(n_bytes)} in {converted_folder()}"]
    write_result("".join(f"{line}\n" for line in lines))


def describe_get(command: Parser) -> None:
    """The options of ``visit models get``."""
    command.add_argument("model", metavar="M", help="smollm2, or a Hugging Face id")
    add_running(command)


def get(arguments: Namespace) -> None:
    """Fetch a model and load it once, so that it is here and known to run."""
    from visit.models.loading import load

    with progress_bar() as progress:
        running = running_from_arguments(arguments)
        loaded = load(arguments.model, **running, tell=lambda stage: progress(stage, 0.0))
    info = loaded.info
    what = f"{info.family}, {info.n_layers} layers, {info.dtype}"
    write_result(f"{one_line(info.name)} is here: {what}\n")


def clear(arguments: Namespace) -> None:
    """Remove what can be made or fetched again; the hub's cache is left alone."""
    from visit.models.loading.converted import clear_converted
    from visit.models.loading.packaged import clear_packaged

    write_result(f"removed {size(clear_converted() + clear_packaged())}\n")


def _table(title: str, notes: dict[str, str]) -> list[str]:
    width = max(map(len, notes))
    rows = [f"  {one_line(name):<{width}}  {one_line(note)}" for name, note in notes.items()]
    return [title, *rows]


COMMANDS = {
    "get": Command("fetch a model, so that it runs without a network", describe_get, get),
    "clear": Command(
        "remove converted GGUF files and smollm2; they can be made again", add_nothing, clear
    ),
}
