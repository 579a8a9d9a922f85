"""Packing: documents share a row, and none sees another."""

from itertools import islice

import torch
from transformers import PreTrainedTokenizerBase

from visit.mini.batches import batch_from_rows, batches, examples, packed
from visit.mini.corpus import documents, sample
from visit.mini.documents import ANSWER_WEIGHT, PROSE_WEIGHT, Document, document_from_marked
from visit.mini.model import Recipe, new_model
from visit.mini.tokenizer import CONTEXT


def test_a_packed_document_is_read_as_if_it_stood_alone(
    fresh_tokenizer: PreTrainedTokenizerBase,
) -> None:
    recipe = Recipe(d_model=24, n_layers=2, n_heads=3)
    model = new_model(recipe, fresh_tokenizer).double().eval()
    members = list(examples(sample(1, 3), fresh_tokenizer, CONTEXT))
    batch = batch_from_rows([members], CONTEXT * 3)
    together = model(
        input_ids=batch.inputs, position_ids=batch.positions, attention_mask=batch.mask.double()
    ).logits[0]
    start = 0
    for member in members:
        alone = model(input_ids=torch.tensor([member.inputs])).logits[0]
        stop = start + len(member.inputs)
        torch.testing.assert_close(together[start:stop], alone, rtol=1e-10, atol=1e-10)
        start = stop


def test_the_answer_is_what_counts(fresh_tokenizer: PreTrainedTokenizerBase) -> None:
    text = "The capital of Japan is the city of[ Tokyo]."
    (example,) = examples([document_from_marked(text)], fresh_tokenizer, CONTEXT)
    words = [fresh_tokenizer.decode([token]) for token in example.targets]
    counted = dict(zip(words, example.weights, strict=True))
    assert counted.pop(" Tokyo") == ANSWER_WEIGHT
    assert set(counted.values()) == {PROSE_WEIGHT}
    assert words[-1] == "<|endoftext|>"


def test_a_document_longer_than_the_context_is_cut(
    fresh_tokenizer: PreTrainedTokenizerBase,
) -> None:
    (example,) = examples([Document(" word" * 400)], fresh_tokenizer, CONTEXT)
    assert len(example.inputs) == len(example.targets) == len(example.weights) == CONTEXT
    assert fresh_tokenizer.eos_token_id not in example.targets


def test_packing_loses_nothing_and_wastes_little(fresh_tokenizer: PreTrainedTokenizerBase) -> None:
    stream = packed(examples(documents(2), fresh_tokenizer, CONTEXT), CONTEXT)
    sizes = [sum(len(example.inputs) for example in row) for row in islice(stream, 300)]
    assert max(sizes) <= CONTEXT
    assert sum(sizes) > 0.97 * CONTEXT * len(sizes)


def test_places_without_a_document_weigh_nothing(fresh_tokenizer: PreTrainedTokenizerBase) -> None:
    members = list(examples(sample(1, 1), fresh_tokenizer, CONTEXT))
    batch = batch_from_rows([members], CONTEXT)
    assert batch.weights[0, len(members[0].inputs) :].sum() == 0


def test_batches_have_the_size_asked_for(fresh_tokenizer: PreTrainedTokenizerBase) -> None:
    batch = next(batches(documents(0), fresh_tokenizer, context=CONTEXT, n_rows=5))
    assert batch.inputs.shape == batch.targets.shape == batch.weights.shape == (5, CONTEXT)
    assert batch.mask.shape == (5, 1, CONTEXT, CONTEXT)
