"""From a name to a loaded model: the bundled one, a Hugging Face id, a folder, or a GGUF file.

Safetensors and GGUF only; a pickle is never opened and no code that comes with a model is run.
Offline first: what the hub's cache holds is used without asking the network.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from visit import mini
from visit.architectures import Architecture, family_of, lay_open
from visit.errors import ModelError
from visit.flow import ModelInfo
from visit.gguf_tokens import keep_bos_flag

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MINI = "mini"
OLDEST_TRANSFORMERS = (4, 57)
FIRST_UNTRIED_TRANSFORMERS = (6, 0)
DTYPES: dict[str, torch.dtype] = {
    name: getattr(torch, name) for name in ("float32", "float64", "bfloat16", "float16")
}
DEVICES = ("auto", "cpu", "cuda", "mps")

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_HASH_CHUNK = 1 << 22

# What transformers, safetensors and gguf raise on files that are cut short or not what they say.
_DAMAGED = (
    SafetensorError,
    struct.error,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    RuntimeError,
    EOFError,
    OverflowError,
    MemoryError,
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to be traced.

    Attributes:
        model: The Hugging Face model, in eval mode with eager attention.
        tokenizer: Its tokenizer.
        architecture: The model, laid open.
        info: What the document says of it.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    architecture: Architecture
    info: ModelInfo


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a model's files are: a folder, and the GGUF file in it if it is one."""

    folder: Path
    gguf_file: str | None
    revision: str | None

    def weights(self) -> list[Path]:
        """The files that hold the weights, in order."""
        if self.gguf_file is not None:
            return [self.folder / self.gguf_file]
        return sorted(self.folder.glob("*.safetensors"))


def _silent(stage: str) -> None:
    """Tell nobody."""


def load(
    name: str = MINI,
    *,
    dtype: str = "float32",
    device: str = "auto",
    revision: str | None = None,
    tell: Callable[[str], None] = _silent,
) -> Loaded:
    """Load a model by name.

    Args:
        name: ``mini``, a Hugging Face id, a local folder, or a ``.gguf`` file.
        dtype: One of ``DTYPES``.
        device: One of ``DEVICES``; ``auto`` takes CUDA where there is one.
        revision: Of a Hugging Face id: a branch, tag or commit; the default branch when left out.
        tell: Told ``downloading NAME``, if the hub's cache has not all of it, and ``loading NAME``.

    Raises:
        ModelError: there is no such model, or it cannot be read or taken apart.
    """
    _check_transformers()
    chosen_dtype, chosen_device = _dtype(dtype), _device(device, dtype)
    place = _place(name, revision, tell)
    tell(f"loading {name}")
    with _no_bars():
        config = _config(place, name)
        family_of(config.model_type)
        _refuse_pickles(place, name)
        model = _model(place, name, config, chosen_dtype).to(chosen_device).eval()
        model.requires_grad_(False)
        tokenizer = _tokenizer(place, name, config)
    return loaded_from(
        model,
        tokenizer,
        name=name,
        revision=place.revision,
        weights_sha256=_sha256(place.weights()),
    )


def loaded_from(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    *,
    name: str,
    weights_sha256: str | None = None,
    revision: str | None = None,
) -> Loaded:
    """A model that is in memory already, ready to be traced.

    Raises:
        ModelError: its family is not supported.
    """
    architecture = lay_open(model)
    sizes = architecture.sizes
    info = ModelInfo(
        name=name,
        family=architecture.family,
        dtype=str(architecture.unembedding.dtype).removeprefix("torch."),
        weights_sha256=weights_sha256 or _state_sha256(model),
        n_layers=sizes.n_layers,
        n_heads=sizes.n_heads,
        n_kv_heads=sizes.n_kv_heads,
        d_model=sizes.d_model,
        d_head=sizes.d_head,
        d_mlp=sizes.d_mlp,
        d_vocab=sizes.d_vocab,
        revision=revision,
        n_experts=sizes.n_experts,
        n_routed=sizes.n_routed,
        limits=family_of(model.config.model_type).limits,
    )
    return Loaded(model, tokenizer, architecture, info)


def cached_models() -> dict[str, str]:
    """The models in the hub's cache: each id with its size and family, or why it cannot be run."""
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
    names = {file.file_name: file.file_path for file in newest.files}
    try:
        config = json.loads(Path(names["config.json"]).read_text(encoding="utf-8"))
        family = family_of(str(config.get("model_type"))).name
    except (KeyError, OSError, ValueError):
        return "has no config.json"
    except ModelError:
        return f"type {config.get('model_type')} is not supported"
    has_weights = any(name.endswith(".safetensors") for name in names)
    return family if has_weights else f"{family}, but no safetensors"


def _place(name: str, revision: str | None, tell: Callable[[str], None]) -> _Place:
    path = Path(name).expanduser()
    is_local = name == MINI or path.suffix.lower() == ".gguf" or path.is_dir()
    if is_local and revision is not None:
        raise ModelError(
            f"model {name!r} is on this machine and has no revision {revision!r}; leave it out"
        )
    if name == MINI:
        return _Place(mini.FOLDER, None, None)
    if path.suffix.lower() == ".gguf":
        if not path.is_file():
            raise ModelError(f"model file {name!r} does not exist; give the path of a .gguf file")
        return _Place(path.parent, path.name, None)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(
                f"folder {name!r} has no config.json; give a folder that save_pretrained wrote"
            )
        return _Place(path, None, None)
    return _hub_place(name, revision, tell)


def _hub_place(name: str, revision: str | None, tell: Callable[[str], None]) -> _Place:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt"]
    for local_files_only in (True, False):
        if not local_files_only:
            tell(f"downloading {name}")
        try:
            folder = Path(
                snapshot_download(
                    name,
                    revision=revision,
                    allow_patterns=patterns,
                    local_files_only=local_files_only,
                )
            )
        except HFValidationError:
            raise ModelError(
                f"there is no model {name!r}; give mini, a Hugging Face id like openai-community/"
                "gpt2, a folder, or a .gguf file"
            ) from None
        except (OSError, ValueError) as error:
            reason = error
            continue
        if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")):
            return _Place(folder, None, folder.name)
        reason = FileNotFoundError("the cached copy is not whole")
    raise ModelError(
        f"model {name!r} is neither a folder nor in the hub's cache, and the hub did not give it "
        f"({type(reason).__name__}); check the name, or run `hf download {name}` while online"
    )


def _config(place: _Place, name: str) -> Any:
    from transformers import AutoConfig

    try:
        if place.gguf_file is not None:
            return AutoConfig.from_pretrained(place.folder, gguf_file=place.gguf_file)
        return AutoConfig.from_pretrained(place.folder)
    except _DAMAGED as error:
        raise ModelError(
            f"the config of model {name!r} cannot be read: {_one_line(error)}"
        ) from error


def _refuse_pickles(place: _Place, name: str) -> None:
    if place.weights():
        return
    pickles = [path.name for pattern in _PICKLES for path in sorted(place.folder.glob(pattern))]
    if pickles:
        raise ModelError(
            f"model {name!r} has its weights only as a pickle ({pickles[0]}), which can run code "
            "when opened; convert it with save_pretrained(..., safe_serialization=True)"
        )
    raise ModelError(f"model {name!r} has a config but no *.safetensors; add its weights")


def _model(place: _Place, name: str, config: Any, dtype: torch.dtype) -> Any:
    from transformers import AutoModelForCausalLM

    extra = _gguf_options(place)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            place.folder,
            dtype=dtype,
            attn_implementation="eager",
            use_safetensors=True,
            local_files_only=True,
            config=config,
            **extra,
        )
    except _DAMAGED as error:
        raise ModelError(
            f"the weights of model {name!r} cannot be read: {_one_line(error)}; fetch them again"
        ) from error
    # transformers 5's faster ways with experts know no float64; transformers 4 has this one alone.
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")
    return model


def _gguf_options(place: _Place) -> dict[str, Any]:
    """What makes transformers unpack a GGUF file's weights, even where it could run them packed."""
    if place.gguf_file is None:
        return {}
    options: dict[str, Any] = {"gguf_file": place.gguf_file}
    with suppress(ImportError):  # older releases know no other way than unpacking
        from transformers import GgufConfig

        options["quantization_config"] = GgufConfig(gguf_file=place.gguf_file, dequantize=True)
    return options


def _tokenizer(place: _Place, name: str, config: Any) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    extra = {"gguf_file": place.gguf_file} if place.gguf_file else {}
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            place.folder, local_files_only=True, config=config, **extra
        )
    except _DAMAGED as error:
        raise ModelError(
            f"the tokenizer of model {name!r} cannot be read: {_one_line(error)}"
        ) from error
    if place.gguf_file is not None and version("transformers").startswith("4."):
        keep_bos_flag(tokenizer, place.folder / place.gguf_file)
    return tokenizer


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep transformers' own progress bars off stderr; visit shows its own where they help."""
    from transformers.utils import logging

    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _check_transformers() -> None:
    given = version("transformers")
    oldest, beyond = OLDEST_TRANSFORMERS, FIRST_UNTRIED_TRANSFORMERS
    if not oldest <= tuple(int(part) for part in given.split(".")[:2]) < beyond:
        wanted = f"{oldest[0]}.{oldest[1]} or newer, below {beyond[0]}"
        raise ModelError(
            f"transformers {given} is installed; visit works with {wanted}: "
            f"pip install 'transformers>={oldest[0]}.{oldest[1]},<{beyond[0]}'"
        )


def _dtype(dtype: str) -> torch.dtype:
    if dtype not in DTYPES:
        raise ModelError(f"dtype {dtype!r} is not offered; give {', '.join(DTYPES)}")
    return DTYPES[dtype]


def _device(device: str, dtype: str) -> torch.device:
    if device not in DEVICES:
        raise ModelError(f"device {device!r} is not offered; give {', '.join(DEVICES)}")
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return torch.device("cuda" if has["cuda"] else "cpu")
    if not has[device]:
        there = ", ".join(name for name, is_there in has.items() if is_there)
        raise ModelError(f"device {device!r} is not on this machine; give auto or {there}")
    if device == "mps" and dtype == "float64":
        raise ModelError("device 'mps' has no float64; give --dtype float32 or --device cpu")
    return torch.device(device)


def _sha256(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(_HASH_CHUNK):
                digest.update(block)
    return digest.hexdigest()


def _state_sha256(model: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".: ")
