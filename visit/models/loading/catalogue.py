"""What the hub's cache holds, and what can be run of it. Asks no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from visit.errors import ModelError
from visit.models.architectures import family_of
from visit.models.gguf.header import Damaged
from visit.models.loading.configs import type_of_text_part
from visit.models.loading.files import examine, weight_files
from visit.models.loading.places import PICKLES, adapter_among


def cached_models() -> dict[str, str]:
    """The models in the hub's cache: each id with its size and family, or why it cannot be run.

    What is broken in the cache is listed as such, and never keeps the rest from being listed.
    """
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = [repo for repo in scan_cache_dir().repos if repo.repo_type == "model"]
    except CacheNotFound:
        return {}
    return {
        repo.repo_id: f"{repo.size_on_disk_str}, {_standing(repo)}"
        for repo in sorted(repos, key=lambda repo: repo.repo_id)
    }


def _standing(repo: Any) -> str:
    """The family of a cached model, or what keeps it from being run."""
    newest = max(repo.revisions, key=lambda revision: revision.last_modified, default=None)
    if newest is None:
        return "nothing fetched"
    folder = Path(newest.snapshot_path)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        model_type = str(config.get("model_type"))
    except FileNotFoundError:
        return "has no config.json"
    except (OSError, ValueError, AttributeError):
        return "its config.json cannot be read"
    try:
        family = family_of(type_of_text_part(model_type)).name
    except ModelError:
        return f"type {model_type} is not supported"
    if adapter_among([path.name for path in folder.iterdir()]):
        return f"{family}, but a LoRA adapter lies beside it"
    if "quantization_config" in config:
        return f"{family}, but stored quantised"
    try:
        files = weight_files(folder)
        examine(files)
    except Damaged as problem:
        return f"{family}, but {problem}"
    except OSError:
        return f"{family}, but its weights cannot be read"
    if files:
        return family
    has_pickle = any(path.suffix in PICKLES for path in folder.iterdir())
    return f"{family}, but {'only a pickle' if has_pickle else 'no safetensors'}"
