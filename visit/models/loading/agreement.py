"""Whether the model that was made is the one that its files hold: all of it, and nothing else.

transformers draws weights at random where a file has none, passes over those that the config does
not use, and says both in a log. Here either is refused by the tensor's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from visit.errors import ModelError
from visit.models.loading.places import Place

_ROWS = 4096
"""Of a matrix that are compared at once."""
_MOST_BEYOND = 2
"""How many times as many numbers as a file holds are made before the first one is missed."""

_BUFFERS = re.compile(
    r"""(^|\.)(
    attn\.(bias|masked_bias|embed_positions)            # GPT-2, GPT-J: the causal mask, positions
    | attn\.attention\.(bias|masked_bias)               # GPT-Neo
    | attention\.(bias|masked_bias)                     # GPT-NeoX
    | (rotary|rotary_emb|maybe_rotary)\.(inv_freq|cos_cached|sin_cached)
    | position_ids
    | decoder\.version                                  # OPT, as fairseq wrote it
    )$""",
    re.VERBOSE,
)
"""What older versions of transformers wrote beside the weights; newer ones compute it."""
_EXPERT = re.compile(r"(?P<before>.*\.experts)\.(?P<number>\d+)\.(?P<after>.*)")
_HALVES = {"gate_proj.weight": "up_proj.weight", "w1.weight": "w3.weight"}
"""An expert's gate and what it is multiplied with."""
_IMAGES = re.compile(r"^(model\.)?(vision_tower|multi_modal_projector)\.")
"""The parts of a Gemma 3 of text and images that text does not go through."""


def check_agreement(place: Place, model: Any, report: Mapping[str, Any]) -> None:
    """Refuse a model that differs from what its files hold.

    Args:
        place: Its files.
        model: The model, loaded.
        report: What transformers says of the loading: tensors that the files lack, hold beyond the
            config, or hold in another shape.

    Raises:
        ModelError: it differs; the text names the first tensor.
    """
    if differing := sorted(report["mismatched_keys"]):
        raise _mismatched(place, *_shapes_of(place, model, differing[0]))
    unused = [
        name for name in _in_order(report["unexpected_keys"]) if not _may_be_unused(name, model)
    ]
    if unused:
        raise disagrees(place, f"the weights hold {unused[0]}, which the config does not use")
    if missing := _in_order(report["missing_keys"]):
        raise _lacks(place, missing[0], _hint(missing[0], model))
    _check_once(place, model)
    _check_tie(place, model)


def check_size(place: Place, outline: Any) -> None:
    """Refuse weights that are far fewer than the config asks for, before memory is taken for them.

    Args:
        place: The model's files.
        outline: The model that its config makes, of shapes alone.

    Raises:
        ModelError: they are; the text names the first tensor where that can be known.
    """
    wanted = {name: tuple(weight.shape) for name, weight in outline.named_parameters()}
    if getattr(outline.config, "tie_word_embeddings", False):
        wanted.pop(_output_name(outline), None)
    weights = place.weights()
    n_wanted = sum(map(prod, wanted.values()))
    if n_wanted <= _MOST_BEYOND * weights.n_elements:
        return  # transformers tells tensors apart that it renames
    stored = {_bare(name, outline): shape for name, shape in weights.shapes.items()}
    for name in _in_order(wanted):
        shape = stored.get(_bare(name, outline))
        if shape is not None and shape != wanted[name]:
            raise _mismatched(place, name, shape, wanted[name])
    for name in _in_order(wanted):
        if _bare(name, outline) not in stored and ".experts" not in name:
            raise _lacks(place, name, _hint(name, outline))
    raise disagrees(
        place,
        f"the config asks for {n_wanted:,} numbers and the weights hold {weights.n_elements:,}",
    )


def check_experts(place: Place, config: Any) -> None:
    """Refuse a mixture whose files do not hold each expert once, before its experts are stacked.

    transformers 5 stacks those that it finds, in their order, whatever their numbers are, and cuts
    each stack of gates and up-projections in halves.

    Raises:
        ModelError: one is missing, too many, or of another shape than its other half.
    """
    shapes = place.weights().shapes
    numbers: dict[tuple[str, str], set[int]] = {}
    for name in shapes:
        if found := _EXPERT.fullmatch(name):
            numbers.setdefault((found["before"], found["after"]), set()).add(int(found["number"]))
    wanted = set(range(_n_experts(config)))
    for (before, after), present in sorted(numbers.items()):
        if missing := wanted - present:
            raise _lacks(place, f"{before}.{min(missing)}.{after}")
        if unused := present - wanted:
            raise _has_unused(place, f"{before}.{min(unused)}.{after}")
        other = _HALVES.get(after)
        for number in present if other else ():
            gate, up = f"{before}.{number}.{after}", f"{before}.{number}.{other}"
            if shapes[gate] != shapes.get(up):
                raise disagrees(place, _differ(shapes, up, gate))


def _n_experts(config: Any) -> int:
    for field in ("num_local_experts", "num_experts"):
        if (count := getattr(config, field, None)) is not None:
            return int(count)
    return 0


def _shapes_of(place: Place, model: Any, reported: Any) -> tuple[str, Iterable[int], Iterable[int]]:
    """A tensor's name with its shape in the file and in the model; transformers 4 has the name."""
    if not isinstance(reported, str):
        name, stored, wanted = reported
        return name, stored, wanted
    shapes = {_bare(name, model): shape for name, shape in place.weights().shapes.items()}
    return reported, shapes.get(_bare(reported, model), ()), model.state_dict()[reported].shape


def _mismatched(
    place: Place, name: str, stored: Iterable[int], wanted: Iterable[int]
) -> ModelError:
    return disagrees(
        place, f"{name} is {_shape(stored)} in the weights and {_shape(wanted)} by the config"
    )


def _hint(name: str, model: Any) -> str:
    """What else the config could say of a missing tensor."""
    is_output = name == _output_name(model)
    return " (unless tie_word_embeddings is true)" if is_output else ""


def _lacks(place: Place, name: str, hint: str = "") -> ModelError:
    return disagrees(place, f"the config asks for {name}{hint}, which the weights do not hold")


def _has_unused(place: Place, name: str) -> ModelError:
    return disagrees(place, f"the weights hold {name}, which the config does not use")


def _differ(shapes: Mapping[str, tuple[int, ...]], name: str, first: str) -> str:
    if name not in shapes:
        return f"the weights hold {first} and no {name}"
    return f"{name} is {_shape(shapes[name])} and {first} is {_shape(shapes[first])}"


def disagrees(place: Place, problem: str) -> ModelError:
    """The error for weights and a config that are not of one model."""
    return ModelError(
        f"{place.config_name} of model {place.name!r} is not of these weights: {problem}; give the "
        "config and the weights of one model"
    )


def uneven(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """The first tensor that has another shape than its like in other layers or experts, if any."""
    like: dict[str, str] = {}
    for name in _in_order(shapes):
        first = like.setdefault(re.sub(r"\.\d+\.", ".*.", name), name)
        if shapes[first] != shapes[name]:
            return _differ(shapes, name, first)
    return None


def _may_be_unused(name: str, model: Any) -> bool:
    is_of_images = model.config.model_type == "gemma3_text" and _IMAGES.search(name)
    return bool(is_of_images or _BUFFERS.search(name))


def _shape(sizes: Iterable[int]) -> str:
    return "×".join(map(str, sizes)) or "a single number"


def _in_order(names: Iterable[str]) -> list[str]:
    """Names in the order of their text, numbers in the order of their size."""
    return sorted(
        names,
        key=lambda name: [part.zfill(9) if part.isdigit() else part for part in name.split(".")],
    )


def _check_once(place: Place, model: Any) -> None:
    """Refuse files that hold one tensor under two names, with the model's prefix and without."""
    names = sorted(_bare(name, model) for name in place.weights().shapes)
    if twice := next((name for name, next_ in pairwise(names) if name == next_), None):
        raise disagrees(place, f"the weights hold {twice} twice, with a prefix and without")


def _check_tie(place: Place, model: Any) -> None:
    """Refuse an unembedding of its own where the config says that it is the embedding.

    transformers 4 takes the embedding for it, 5 the unembedding.
    """
    if not getattr(model.config, "tie_word_embeddings", False):
        return
    ends = [_output_name(model), f"{_path_of(model, model.get_input_embeddings())}.weight"]
    bare = {_bare(name, model): name for name in place.weights().shapes}
    stored = [bare[end] for end in (_bare(end, model) for end in ends) if end in bare]
    if len(stored) == 2 and not _are_equal(place.files(), *stored):
        raise disagrees(
            place,
            f"{stored[0]} is not {stored[1]}, but tie_word_embeddings is true: set it to false if "
            "the model has an unembedding of its own",
        )


def _are_equal(files: Iterable[Path], first: str, second: str) -> bool:
    """Whether two tensors hold the same numbers; a part of them is read at a time."""
    tensors: dict[str, Any] = {}
    for file in files:
        handle: Any = safe_open(file, framework="pt")
        tensors.update({n: handle.get_slice(n) for n in (first, second) if n in handle.keys()})
    one, other = tensors[first], tensors[second]
    n_rows = one.get_shape()[0]
    return one.get_shape() == other.get_shape() and all(
        torch.equal(one[row : row + _ROWS], other[row : row + _ROWS])
        for row in range(0, n_rows, _ROWS)
    )


def _output_name(model: Any) -> str:
    return f"{_path_of(model, model.get_output_embeddings())}.weight"


def _path_of(model: Any, wanted: Any) -> str:
    """What a model calls one of its modules."""
    return next(str(path) for path, module in model.named_modules() if module is wanted)


def _bare(name: str, model: Any) -> str:
    """A tensor's name without the prefix that a file may leave out."""
    prefix: str = model.base_model_prefix
    return name.removeprefix(f"{prefix}.")
