"""Documents packed into rows of tokens, each document as if it stood alone.

Several documents share a row, but none sees another: attention stays inside a document and
positions start again at 0. So every document is trained just as a prompt is later read, from
position 0 and with nothing before it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from visit.mini.documents import PROSE_WEIGHT, Document


@dataclass(frozen=True)
class Example:
    """A document in tokens: what is read, what is to be predicted, and how much that counts."""

    inputs: list[int]
    targets: list[int]
    weights: list[float]


@dataclass(frozen=True)
class Batch:
    """Rows of packed documents; all tensors but `mask` are [row, position]."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    positions: Tensor
    mask: Tensor
    """What attention adds to its scores, [row, 1, query, key]: 0 inside a document, else -inf."""


def examples(
    documents: Iterable[Document], tokenizer: PreTrainedTokenizerFast, context: int
) -> Iterator[Example]:
    """Documents as tokens, each closed by the end-of-text token and cut to the context."""
    stream = iter(documents)
    while chunk := list(islice(stream, 512)):
        encodings = tokenizer.backend_tokenizer.encode_batch([each.text for each in chunk])
        for document, encoding in zip(chunk, encodings, strict=True):
            of_character = [PROSE_WEIGHT] * len(document.text)
            for span in document.spans:
                of_character[span.start : span.end] = [span.weight] * (span.end - span.start)
            weights = [of_character[end - 1] for _, end in encoding.offsets[1:]]
            targets = [*encoding.ids[1:], tokenizer.eos_token_id]
            yield Example(
                encoding.ids[:context], targets[:context], [*weights, PROSE_WEIGHT][:context]
            )


def packed(stream: Iterable[Example], width: int, n_open: int = 64) -> Iterator[list[Example]]:
    """Rows of examples that together fill at most the width; each goes where it just fits."""
    rows: list[list[Example]] = []
    room: list[int] = []
    for example in stream:
        size = len(example.inputs)
        fitting = [index for index, free in enumerate(room) if free >= size]
        if fitting:
            best = min(fitting, key=room.__getitem__)
            rows[best].append(example)
            room[best] -= size
        else:
            rows.append([example])
            room.append(width - size)
        if len(rows) > n_open:
            fullest = room.index(min(room))
            room.pop(fullest)
            yield rows.pop(fullest)


def batch_from_rows(rows: list[list[Example]], width: int) -> Batch:
    """The tensors of some packed rows; unused places at the end weigh nothing."""
    shape = (len(rows), width)
    inputs, targets, positions = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    owners = torch.full(shape, -1)
    weights = torch.zeros(shape)
    for row, members in enumerate(rows):
        start = 0
        for owner, example in enumerate(members):
            place = slice(start, start + len(example.inputs))
            inputs[row, place] = torch.tensor(example.inputs)
            targets[row, place] = torch.tensor(example.targets)
            weights[row, place] = torch.tensor(example.weights)
            positions[row, place] = torch.arange(len(example.inputs))
            owners[row, place] = owner
            start = place.stop
    visible = (owners[:, :, None] == owners[:, None, :]) & torch.ones(width, width).tril().bool()
    mask = torch.zeros(visible.shape).masked_fill(~visible, torch.finfo(torch.bfloat16).min)
    return Batch(inputs, targets, weights, positions, mask[:, None])


def batches(
    documents: Iterable[Document],
    tokenizer: PreTrainedTokenizerFast,
    *,
    context: int,
    n_rows: int,
) -> Iterator[Batch]:
    """The documents as batches of that many rows, the context wide."""
    rows = packed(examples(documents, tokenizer, context), context)
    while members := list(islice(rows, n_rows)):
        yield batch_from_rows(members, context)
