"""What answers the explorables' questions (``visit.engine.exploring``), a module each."""

from __future__ import annotations

from visit.assemble.exploring.norms import read_norms

HANDLERS = (read_norms,)
"""A function of each question, which its first argument's type names."""
