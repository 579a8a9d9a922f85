"""The questions of the explorables: what stands beside the flow graph, each one click from it.

Each is answered by an ``Explored`` (``visit.graph.explored``), whose ``name`` the command line, the
app and the document call it by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from visit.engine.questions import Question
from visit.graph.explored.norms import Norms


@dataclass(frozen=True)
class ReadNorms(Question[Norms]):
    """How much attention really moves from where, against what its pattern says."""

    only_looks: ClassVar[bool] = True
