"""The studies that come with ``visit``, by name: the one list of them."""

from __future__ import annotations

from collections.abc import Mapping

from visit.studies.study import Study

STUDIES: Mapping[str, type[Study]] = {}
