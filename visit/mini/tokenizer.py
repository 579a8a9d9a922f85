"""The byte-level BPE tokenizer of `mini`: any text goes in and comes back byte for byte."""

from collections import Counter
from random import Random
from typing import Final

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from visit.mini.copying import copying_text, vocabulary
from visit.mini.corpus import MAKERS
from visit.mini.counting import counting_text, list_text
from visit.mini.documents import document_from_marked

END_OF_TEXT: Final = "<|endoftext|>"
CONTEXT: Final = 128
"""Longest prompt in tokens."""

_SAMPLED_TEXTS: Final = 4000
_MIN_SIGHTINGS: Final = 8
_REPEATS: Final = 8
_MAX_VOCABULARY: Final = 5000


def common_words(seed: int) -> list[str]:
    """Every word that must be one token, with its leading space where it has one."""
    rng = Random(seed)
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    counts: Counter[str] = Counter()
    for maker in MAKERS:
        if maker in (copying_text, counting_text, list_text):
            continue
        for _ in range(_SAMPLED_TEXTS):
            text = document_from_marked(maker(rng)).text
            counts.update(text[start:end] for _, (start, end) in split.pre_tokenize_str(text))
    often = [word for word, count in counts.items() if count >= _MIN_SIGHTINGS]
    return sorted({*often, *(f" {word}" for word in vocabulary())})


def train_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """A tokenizer that merges exactly as far as the common words need, and no further.

    Every word is shown equally often, and merging stops when no pair is left that all showings
    of some word need; so each common word ends up as one token.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=_MAX_VOCABULARY,
        min_frequency=_REPEATS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[END_OF_TEXT],
        show_progress=False,
    )
    words = [word for word in common_words(seed) for _ in range(_REPEATS)]
    tokenizer.train_from_iterator(words, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
        model_max_length=CONTEXT,
    )
