"""The atlas: what every memory, attention neuron and bias of a model says, kept on the disk."""

from visit.lens.atlas.atlas import Atlas
from visit.lens.atlas.build import Cost
from visit.lens.atlas.row_cache import KEY_BYTES
from visit.lens.atlas.search import Found
from visit.models.rows import KINDS, RowId, is_static

__all__ = ["KEY_BYTES", "KINDS", "Atlas", "Cost", "Found", "RowId", "is_static"]
