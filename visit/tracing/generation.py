"""The tokens a model goes on with: by transformers' own ``generate``, watched as it takes them.

Nothing but the chosen way of taking tokens is in force: the penalties and defaults that a model's
``generation_config`` brings are set aside meanwhile, except for the tokens that end its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor
from transformers.generation.streamers import BaseStreamer

from visit.errors import ModelError
from visit.graph.generation import Sampling
from visit.tracing.ties import find_greatest

N_OTHERS = 9


@dataclass(frozen=True, slots=True)
class Taken:
    """A token that was taken, and what the model said there.

    Attributes:
        id: The token.
        prob: The model's probability of it, whatever way it was taken.
        rank: Of all tokens (1 = best).
        others: The ids and probabilities of the nine likeliest others, best first.
    """

    id: int
    prob: float
    rank: int
    others: tuple[tuple[int, float], ...]


def read_taken(
    logits: Float[Tensor, "token d_vocab"], token_ids: Sequence[int]
) -> tuple[Taken, ...]:
    """What was said of tokens where each was taken.

    Args:
        logits: The model's, of what comes next; a row for each token.
        token_ids: The tokens.

    Raises:
        ValueError: there are other rows than tokens.
    """
    if len(logits) != len(token_ids):
        raise ValueError(f"{len(logits)} rows of logits for {len(token_ids)} tokens")
    ids = torch.tensor(list(token_ids), device=logits.device).unsqueeze(1)
    own = logits.gather(1, ids)
    ranks = 1 + (logits > own).sum(1)
    best = find_greatest(logits, N_OTHERS + 1)
    shown = torch.cat([ids, best], dim=1)
    probs = (logits.gather(1, shown) - logits.logsumexp(1, keepdim=True)).exp().tolist()
    return tuple(
        Taken(
            row[0],
            said[0],
            rank,
            tuple(
                pair for pair in zip(row[1:], said[1:], strict=True) if pair[0] != row[0]
            )[:N_OTHERS],
        )
        for row, said, rank in zip(shown.tolist(), probs, ranks.tolist(), strict=True)
    )  # fmt: skip


def generate(
    model: Any,
    token_ids: Sequence[int],
    count: int,
    sampling: Sampling,
    on_token: Callable[[Taken], None] = lambda taken: None,
) -> tuple[Taken, ...]:
    """Go on after a prompt, until the count is reached or the model ends its text.

    Args:
        model: A loaded Hugging Face causal language model.
        token_ids: What it reads, at least one token.
        count: How many tokens are taken at most, 1 or more.
        sampling: How. With a temperature of 0 the seed and top-p say nothing.
        on_token: Called with each token once it is taken; what it raises ends the run.

    Raises:
        ModelError: a logit is NaN.
    """
    device = model.get_input_embeddings().weight.device
    ids = torch.tensor([list(token_ids)], device=device)
    watcher = _Watcher(on_token)
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), _with_settings(model, _settings(model, sampling)):
        torch.manual_seed(sampling.seed)
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            logits_processor=[watcher],
            streamer=watcher,
        )
    return tuple(watcher.taken)


def stop_ids(model: Any) -> tuple[int, ...]:
    """The tokens that end a model's text."""
    said = getattr(model.generation_config, "eos_token_id", None)
    if said is None:
        said = getattr(model.config, "eos_token_id", None)
    if said is None:
        return ()
    return tuple(said) if isinstance(said, list | tuple) else (int(said),)


def _settings(model: Any, sampling: Sampling) -> GenerationConfig:
    """The settings that say how tokens are taken, and nothing else."""
    stops = stop_ids(model)
    made: Any = GenerationConfig
    drawn: dict[str, Any] = {"do_sample": False}
    if sampling.temperature > 0:
        drawn = {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": 0,  # the library's own default keeps fifty
        }
    ends = {"eos_token_id": list(stops), "pad_token_id": stops[0]} if stops else {}
    config: GenerationConfig = made(use_cache=True, **ends, **drawn)
    return config


@contextmanager
def _with_settings(model: Any, settings: GenerationConfig) -> Iterator[None]:
    own = model.generation_config
    model.generation_config = settings
    try:
        yield
    finally:
        model.generation_config = own


class _Watcher(LogitsProcessor, BaseStreamer):
    """Sees the model's logits before any is changed, and each token once it is taken."""

    def __init__(self, on_token: Callable[[Taken], None]) -> None:
        self.taken: list[Taken] = []
        self._on_token = on_token
        self._logits: Tensor | None = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Keep the logits, which are passed on as they are."""
        if bool(scores.isnan().any()):
            raise ModelError(
                f"the logits hold NaN after {len(self.taken)} new tokens; try --dtype float32"
            )
        self._logits = scores
        return scores

    def put(self, value: Any) -> None:
        """A token was taken; at first the prompt is told, of which there are no logits."""
        if self._logits is None:
            return
        (taken,) = read_taken(self._logits, value.flatten().tolist())
        self._logits = None
        self.taken.append(taken)
        self._on_token(taken)

    def end(self) -> None:
        """Nothing more comes."""
