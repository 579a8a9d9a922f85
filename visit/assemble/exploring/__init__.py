"""What answers the explorables' questions (``visit.engine.exploring``), a module each."""

from __future__ import annotations

from visit.assemble.exploring.contexts import find_contexts
from visit.assemble.exploring.factors import find_factors
from visit.assemble.exploring.heads import read_heads
from visit.assemble.exploring.maps import map_residuals
from visit.assemble.exploring.norms import read_norms
from visit.assemble.exploring.query_key import map_query_key
from visit.assemble.exploring.saliency import read_saliency
from visit.assemble.exploring.sinks import read_sinks
from visit.assemble.exploring.watch import watch_tokens

HANDLERS = (
    find_contexts,
    find_factors,
    map_query_key,
    map_residuals,
    read_heads,
    read_norms,
    read_saliency,
    read_sinks,
    watch_tokens,
)
"""A function of each question, which its first argument's type names."""
