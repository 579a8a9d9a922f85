"""A Hugging Face id's files: from the hub's cache without a network request, else downloaded.

What is fetched is chosen from the hub's own list of files: the config, the tokenizer and the
safetensors that transformers reads, never a pickle, and no other layout of the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from visit.errors import ModelError
from visit.models.gguf.header import Damaged
from visit.models.loading.bars import follow
from visit.models.loading.files import INDEX, SAFETENSORS, has_tokenizer, weight_files
from visit.models.loading.places import without_weights

PATTERNS = ["*.json", "*.txt", "*.model", SAFETENSORS, "model-*-of-*.safetensors"]
"""What is fetched, from the top folder alone."""
TIMEOUT = 10.0
"""Seconds that the hub has to answer its first question."""


def fetch(name: str, revision: str | None, tell: Callable[[str], None]) -> Path:
    """The folder of a model of the hub, downloaded only if the cache does not have all of it.

    Args:
        name: Its id, like ``openai-community/gpt2``.
        revision: A branch, tag or commit; the default branch when left out.
        tell: Told ``downloading NAME, 1.2 of 3.4 GB`` several times a second, in the thread that
            asks. What it raises ends the download; the files that were fetched stay, and the
            next try goes on from there.

    Raises:
        ModelError: there is no such model, it has no safetensors, or the hub cannot be reached.
    """
    from huggingface_hub.errors import HFValidationError

    try:
        return find_cached(name, revision) or _download(name, revision, tell)
    except HFValidationError:
        raise ModelError(
            f"there is no model {name!r}; give mini, a Hugging Face id like openai-community/gpt2, "
            "a folder, or a .gguf file"
        ) from None


def find_cached(name: str, revision: str | None) -> Path | None:
    """The folder of a model in the hub's cache, if all of it is there; asks no network."""
    folder = _snapshot(name, revision, local_files_only=True)
    return folder if folder is not None and is_whole(folder) else None


def is_whole(folder: Path) -> bool:
    """Whether a cached folder has a config, all its weights, and a tokenizer."""
    try:
        files = weight_files(folder)
    except Damaged:
        return False
    has_weights = bool(files) and all(file.is_file() for file in files)
    return has_weights and has_tokenizer(folder) and (folder / "config.json").is_file()


def _snapshot(name: str, revision: str | None, **options: Any) -> Path | None:
    """The hub's own folder of what was asked for, or ``None`` where there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                allow_patterns=PATTERNS,
                ignore_patterns=["*/*"],
                **options,
            )
        )
    except LocalEntryNotFoundError:  # an incomplete snapshot is one of these too
        return None


def _download(name: str, revision: str | None, tell: Callable[[str], None]) -> Path:
    from huggingface_hub.errors import HfHubHTTPError

    tell(f"downloading {name}")
    # The base class is that of whichever HTTP library this huggingface_hub uses.
    trouble: Any = (OSError, ValueError, RuntimeError, *HfHubHTTPError.__bases__)
    try:
        folder = follow(
            lambda bars: _snapshot(name, revision, tqdm_class=bars),
            f"downloading {name}",
            _bytes_to_fetch(name, revision),
            tell,
        )
    except trouble as error:
        raise _not_given(name, revision, error) from error
    if folder is None:
        raise _not_given(name, revision, ConnectionError())
    return folder


def _bytes_to_fetch(name: str, revision: str | None) -> int:
    """The bytes of a model's files that the cache does not have, as the hub lists them.

    Raises:
        ModelError: none of them is a safetensors file that transformers would read.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache

    model = HfApi().model_info(name, revision=revision, timeout=TIMEOUT, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in model.siblings or ()}
    if SAFETENSORS not in sizes and INDEX not in sizes:
        raise without_weights(name, list(sizes))
    return sum(
        size
        for file, size in sizes.items()
        if "/" not in file
        and any(fnmatch(file, pattern) for pattern in PATTERNS)
        and not isinstance(try_to_load_from_cache(name, file, revision=model.sha), str)
    )


def _has_some(name: str, revision: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str)


def _not_given(name: str, revision: str | None, error: Exception) -> ModelError:
    """The error for a model that the hub does not provide, with what to do about it."""
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        return ModelError(
            f"model {name!r} is gated; accept its terms at https://huggingface.co/{name} and run "
            "`hf auth login`"
        )
    if isinstance(error, RevisionNotFoundError):
        return ModelError(f"model {name!r} has no revision {revision!r}; leave it out, or mend it")
    in_part = "wholly " if _has_some(name, revision) else ""
    if isinstance(error, RepositoryNotFoundError):
        why, remedy = "the hub has none of that name", "if it is private, run `hf auth login`"
    else:
        why = f"the hub did not give it ({type(error).__name__})"
        remedy = f"run `hf download {name}` while online"
    return ModelError(
        f"model {name!r} is neither a folder nor {in_part}in the hub's cache, and {why}; check the "
        f"name, or {remedy}"
    )
