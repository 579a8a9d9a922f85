"""What the tests of the bundled model share."""

import pytest
from transformers import PreTrainedTokenizerBase

from visit.mini.model import Recipe
from visit.mini.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def fresh_tokenizer() -> PreTrainedTokenizerBase:
    """The tokenizer as training makes it, trained here and now."""
    return train_tokenizer(Recipe().seed)
