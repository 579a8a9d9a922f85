"""The studies that come with ``visit``, by name: the one list of them."""

from __future__ import annotations

from collections.abc import Mapping

from visit.studies.builtin.agreement import Agreement
from visit.studies.builtin.always_on import AlwaysOn
from visit.studies.builtin.head_scores import HeadScores
from visit.studies.builtin.heads_and_residual import HeadsAndResidual
from visit.studies.builtin.norms_as_filters import NormsAsFilters
from visit.studies.builtin.right_and_wrong import RightAndWrong
from visit.studies.builtin.sinks import Sinks
from visit.studies.of_question import OfQuestion
from visit.studies.study import Study

_ALL: tuple[type[Study], ...] = (
    HeadsAndResidual,
    NormsAsFilters,
    AlwaysOn,
    RightAndWrong,
    Agreement,
    HeadScores,
    Sinks,
    OfQuestion,
)
STUDIES: Mapping[str, type[Study]] = {one.name: one for one in _ALL}
