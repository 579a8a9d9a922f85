"""What everything is explained towards, as a request asks for it and as a document says it."""

from __future__ import annotations

from enum import StrEnum


class MetricKind(StrEnum):
    """What a metric is of the target's logit, each logit taken before any soft-cap."""

    CHOICE = "choice"
    """Less the mean logit of the candidates: what makes the target win over what else may come."""
    LOGIT_DIFFERENCE = "logit_difference"
    """Less another token's."""
    CENTRED_LOGIT = "centred_logit"
    """Less the mean logit of the whole vocabulary."""
    LOGIT = "logit"
    """The logit itself."""
