"""Every plain limit, in one table: on documents that are drawn, and on a server that many share.

The first hold for everybody, and are far above what any model makes. The server's keep one visitor
from taking the memory or the time of all; the command line has none of them. docs/serving.md lists
them.
"""

from __future__ import annotations

from types import MappingProxyType

# ------------------------------------------------------------------ documents that are drawn

MOST_LAYERS = 1_024
"""Of the model: every panel has a place for each. The deepest models have 126."""
MOST_IN_A_SIZE = 2**31 - 1
"""Of any other size of the model, and of a token's rank."""
LARGEST_NUMBER = 1e100
"""Of a measure, either way: all of a document's add up to a finite number, and so do their
squares."""
LONGEST_TOKEN = 4_096
"""Letters of a token, which is written at every node that says it. The longest of the vocabularies
in use have some hundreds."""

# ------------------------------------------------------------------ the server: documents

MOST_DOCUMENT_BYTES = 48 * 2**20
"""Of a file that is opened in the app. SmolLM2's whole graph of 64 tokens with every layer open is
8 MB, that of a model of 96 layers 27 MB."""
MOST_DOCUMENT_VALUES = 5_000_000
"""Of the values and names in it, counted before it is parsed, which takes 50 to 100 bytes for each.
The same two graphs have 1.0 and 3.3 million."""
MOST_DOCUMENTS_AT_ONCE = 8
"""They are parsed one after another; whoever sends one more is asked to come again."""
LONGEST_UPLOAD = 120
"""Seconds that a file may take to arrive."""
SHELF_BYTES = 400 * 2**20
"""Of the graphs and answers that the server holds for its pages; SmolLM2's above takes 30 MB."""

# ------------------------------------------------------------------ the server: questions

MOST_COUNTED = MappingProxyType(
    {
        "heads": 128,
        "sources": 32,
        "memories": 256,
        "anti_memories": 256,
        "attn_neurons": 256,
        "anti_attn_neurons": 256,
        "top_k": 100,
        "candidates": 500,
        "strongest": 256,
        "strongest_memories": 256,
    }
)
"""Of each count in a request to the server, unless it was started with more. Outcomes among as many
candidates take as long as a forward pass of 500 times the prompt's tokens."""
MOST_LISTED_A_LAYER = 20_000
"""Tokens that the readings of an opened layer list at one end: its parts, and the strongest of all
layers, times ``top_k``; 4,250 by default. A token takes some 100 bytes."""
LONGEST_PROMPT = 500_000
"""Letters of a prompt, or ids: more than a context of 128,000 tokens."""
MOST_PROMPTS = 100
"""That a page may have read at once, of a template or one a line. One of 8 tokens takes SmolLM2
0.3 s of a processor, 1.2 s with the effects of all heads and MLPs."""
LONGEST_OF_MANY = 300
"""Letters of such a prompt, some 75 tokens. Every head has two numbers for every pair of slots:
35 MB of a model of GPT-2 medium's size, 550 MB where each letter is a token."""
MOST_GENERATED = 200
"""Tokens that the model goes on with at once. SmolLM2 takes some 40 ms for each."""
MOST_CHANGED = 256
"""Sites that are changed in a pass that is drawn."""
MOST_OPENED = 256
"""Blocks that a page has open at once, each a layer at a position, with whatever is open in them.
SmolLM2's take 0.6 MB each; a whole model of 96 layers has as many at one position."""

# ------------------------------------------------------------------ what is kept

MOST_LISTED_KEPT = 100
"""Tokens at either end of a reading that is kept in the atlas; what was read longer is kept so."""
MOST_KEPT = 200
"""How many nodes a page keeps drawn whatever their strength, and how many layers it unfolds."""
