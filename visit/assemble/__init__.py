"""Makes a flow graph of a trace, its ledgers and readings, and answers questions."""

from visit.assemble.builder import Builder

__all__ = ["Builder"]
