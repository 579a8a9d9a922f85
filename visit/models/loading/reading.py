"""What transformers makes of a model's files: its weights and its tokenizer."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from visit.errors import ModelError
from visit.models.loading.agreement import (
    check_agreement,
    check_experts,
    check_size,
    disagrees,
    uneven,
)
from visit.models.loading.configs import DAMAGED, one_line, outline_of, text_part_names
from visit.models.loading.files import TOKENIZERS, has_tokenizer
from visit.models.loading.memory import is_out_of_memory
from visit.models.loading.places import Place
from visit.models.loading.running import Running

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OLDEST_TRANSFORMERS = (4, 57)
FIRST_UNTRIED_TRANSFORMERS = (6, 0)


def check_transformers() -> None:
    """Refuse a transformers that visit was not tried with.

    Raises:
        ModelError: it is older or newer.
    """
    given = version("transformers")
    oldest, beyond = OLDEST_TRANSFORMERS, FIRST_UNTRIED_TRANSFORMERS
    if not oldest <= tuple(int(part) for part in given.split(".")[:2]) < beyond:
        wanted = f"{oldest[0]}.{oldest[1]} or newer, below {beyond[0]}"
        raise ModelError(
            f"transformers {given} is installed; visit works with {wanted}: "
            f"pip install 'transformers>={oldest[0]}.{oldest[1]},<{beyond[0]}'"
        )


def model_at(place: Place, config: Any, running: Running) -> Any:
    """The model, in eval mode, where and in the numbers that it is to be run in.

    Raises:
        ModelError: its weights cannot be read.
    """
    with ExitStack() as stack:
        offload_folder = None
        if running.device_map is not None:
            offload_folder = tempfile.mkdtemp(prefix="visit-")
            stack.callback(shutil.rmtree, offload_folder, ignore_errors=True)
        model = _read(place, config, running, offload_folder)
        weakref.finalize(model, stack.pop_all().close)
    for module in model.modules():
        # On some processors bitsandbytes repacks the weights in place on first use, with coarser
        # scales: the model would then not multiply by what was unpacked.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
        # GPT-2's attention in at least float32, which float64 is; it would be rounded to less.
        if running.dtype == "float64" and hasattr(module, "reorder_and_upcast_attn"):
            module.reorder_and_upcast_attn = False
    # transformers 5's faster kernels for experts know no float64; transformers 4 has only this one.
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")
    if running.device_map is None and running.quant is None:
        model = model.to(running.torch_device)
    return model.eval().requires_grad_(False)


def _read(place: Place, config: Any, running: Running, offload_folder: str | None) -> Any:
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    outline = outline_of(place, config)
    check_experts(place, config)
    check_size(place, outline)
    try:
        with _quietly():
            model, report = auto.from_pretrained(
                place.folder,
                config=config,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                # They are in the report, and refused. Packed weights transformers 4 cannot compare.
                ignore_mismatched_sizes=running.quant is None,
                key_mapping=text_part_names(config),
                **running.options(offload_folder),
            )
    except DAMAGED as error:
        if is_out_of_memory(error):
            raise
        if running.quant is not None and running.device_map is not None:
            # What does not fit on the devices would have to go where it cannot stay packed.
            raise ModelError(
                f"model {place.name!r} cannot be packed and spread at once: {one_line(error)}; "
                "leave out --quant or --device-map"
            ) from error
        raise _explain(place, error) from error
    check_agreement(place, model, report)
    return model


def _explain(place: Place, error: Exception) -> ModelError:
    """What kept transformers from making a model whose files are whole and whose config is too."""
    from transformers import GenerationConfig

    if (place.folder / "generation_config.json").exists():
        try:
            GenerationConfig.from_pretrained(place.folder, local_files_only=True)
        except DAMAGED as fault:
            return ModelError(
                f"generation_config.json of model {place.name!r} cannot be read: "
                f"{one_line(fault)}; mend it, or take it out of the folder"
            )
    if problem := uneven(place.weights().shapes):
        return disagrees(place, problem)
    return place.unreadable(one_line(error))


def tokenizer_at(place: Place, config: Any) -> PreTrainedTokenizerBase:
    """The model's tokenizer.

    Raises:
        ModelError: it is not there, or cannot be read.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if not has_tokenizer(place.folder):
        # transformers may return an empty tokenizer instead of failing.
        raise ModelError(
            f"the tokenizer of model {place.name!r} cannot be read: there is neither "
            f"{', '.join(TOKENIZERS[:-1])} nor {TOKENIZERS[-1]}; add its files"
        )
    reader: Any = AutoTokenizer
    named: dict[str, Any] = {"config": config}
    if _is_backend_alone(place):
        reader, named = PreTrainedTokenizerFast, {}  # it would keep the config as its own
    try:
        with _quietly():
            tokenizer: PreTrainedTokenizerBase = reader.from_pretrained(
                place.folder, local_files_only=True, **named
            )
    except DAMAGED as error:
        raise ModelError(
            f"the tokenizer of model {place.name!r} cannot be read: {one_line(error)}"
        ) from error
    return tokenizer


def _is_backend_alone(place: Place) -> bool:
    """Whether a tokenizer is of the class that only transformers 5 knows by that name."""
    try:
        written = (place.folder / "tokenizer_config.json").read_text(encoding="utf-8")
        return bool(json.loads(written).get("tokenizer_class") == "TokenizersBackend")
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep transformers' own progress bars off stderr; visit shows its own where they help."""
    from transformers.utils import logging

    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()
