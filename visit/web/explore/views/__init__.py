"""What shows each explorable, a module each."""

from __future__ import annotations

from collections.abc import Mapping

from visit.web.explore.view import ExploreView
from visit.web.explore.views.contexts import CONTEXTS
from visit.web.explore.views.factors import FACTORS
from visit.web.explore.views.heads import HEADS
from visit.web.explore.views.maps import MAPS
from visit.web.explore.views.norms import NORMS
from visit.web.explore.views.query_key import QUERY_KEY
from visit.web.explore.views.saliency import SALIENCY
from visit.web.explore.views.sinks import SINKS
from visit.web.explore.views.watch import WATCH

VIEWS: Mapping[str, ExploreView] = {
    "contexts": CONTEXTS,
    "factors": FACTORS,
    "heads": HEADS,
    "maps": MAPS,
    "norms": NORMS,
    "query-key": QUERY_KEY,
    "saliency": SALIENCY,
    "sinks": SINKS,
    "watch": WATCH,
}
"""By the explorables' names."""
