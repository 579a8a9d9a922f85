"""How often the model is right: greedy answers to probes, and perplexity on texts."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from visit.mini.documents import Document, Probe

_CHUNK: Final = 64


@dataclass(frozen=True)
class Verdict:
    """What the model made of one probe."""

    probe: Probe
    is_right: bool
    probability: float
    """Probability of the whole answer."""


def _pad(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])


def _log_probabilities(
    model: PreTrainedModel, rows: Sequence[Sequence[int]], filler: int
) -> Tensor:
    """Log-probabilities of the next token, [row, position, d_vocab]; padding is on the right."""
    with torch.inference_mode():
        logits = model(input_ids=_pad(rows, filler)).logits
    return torch.log_softmax(logits.float(), dim=-1)


def verdicts(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probes: Iterable[Probe]
) -> Iterator[Verdict]:
    """One verdict for each probe, in order.

    An answer of several tokens is right only if greedy decoding spells all of it; since greedy
    decoding then reads its own right tokens, one pass over prompt and answer decides that.
    """
    todo = list(probes)
    for start in range(0, len(todo), _CHUNK):
        chunk = todo[start : start + _CHUNK]
        prompts = [tokenizer.encode(probe.prompt) for probe in chunk]
        answers = [tokenizer.encode(probe.answer) for probe in chunk]
        rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
        scores = _log_probabilities(model, rows, tokenizer.eos_token_id)
        for index, probe in enumerate(chunk):
            first = len(prompts[index]) - 1
            own = scores[index, first : first + len(answers[index])]
            answer = torch.tensor(answers[index])
            log_probability = own.gather(1, answer[:, None]).sum().item()
            is_right = bool((own.argmax(dim=1) == answer).all())
            yield Verdict(probe, is_right, math.exp(log_probability))


def accuracy(found: Sequence[Verdict]) -> float:
    """The part of the verdicts that are right, from 0 to 1."""
    return sum(verdict.is_right for verdict in found) / len(found)


def perplexity(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, documents: Sequence[Document]
) -> float:
    """Perplexity per token over the documents, all tokens alike but the first of each."""
    total, n_tokens = 0.0, 0
    for document in documents:
        ids = tokenizer.encode(document.text)
        scores = _log_probabilities(model, [ids], tokenizer.eos_token_id)[0, :-1]
        total += F.nll_loss(scores, torch.tensor(ids[1:]), reduction="sum").item()
        n_tokens += len(ids) - 1
    return math.exp(total / n_tokens)
