"""Surveys: what is measured of many prompts that run together."""

from visit.assemble.surveying.depths import survey_depths
from visit.assemble.surveying.heads import survey_heads
from visit.assemble.surveying.memories import (
    read_memories,
    survey_activations,
    survey_memories,
    survey_removal,
)
from visit.assemble.surveying.norms import survey_norms
from visit.assemble.surveying.patterns import survey_patterns, survey_sinks

HANDLERS = (
    read_memories,
    survey_activations,
    survey_depths,
    survey_heads,
    survey_memories,
    survey_norms,
    survey_patterns,
    survey_removal,
    survey_sinks,
)
"""A function of each question, which its first argument's type names."""
