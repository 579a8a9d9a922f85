"""visit: see how a GPT's prediction flows through its layers, exactly and in words.

The public names load on first use, so that ``import visit`` costs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visit.errors import VisitError
    from visit.formats.document import read_flow, write_flow
    from visit.graph.flow import FlowGraph
    from visit.graph.request import Request
    from visit.session import Session

__version__ = "0.1.0"

_HOMES = {
    "FlowGraph": "visit.graph.flow",
    "Request": "visit.graph.request",
    "Session": "visit.session",
    "VisitError": "visit.errors",
    "read_flow": "visit.formats.document",
    "write_flow": "visit.formats.document",
}

__all__ = [
    "FlowGraph",
    "Request",
    "Session",
    "VisitError",
    "__version__",
    "read_flow",
    "write_flow",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'visit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
