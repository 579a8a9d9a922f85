"""A study of one's own, as the docs have it: how sure the model is of its next token."""

from __future__ import annotations

import numpy as np

from visit.engine.questions import Explain
from visit.errors import RequestError
from visit.graph.request import Request
from visit.studies import Column, Study, Surveyed, Unmeasured


class Confidence(Study):
    """How sure the model is of its next token."""

    name, version = "confidence", 1

    def measure(self, engine, prompts, prepared, progress=lambda stage, part: None):
        values, places, failed = [], [], []
        for place, one in enumerate(prompts):
            try:
                values.append(engine.ask(Explain(Request(one.text, layers="none"))).target.prob)
                places.append(place)
            except RequestError as error:
                failed.append(Unmeasured(place, str(error)))
        column = Column("confidence", "the probability of the next token")
        values = np.array(values)
        return Surveyed((column,), {"confidence": values}, tuple(places), tuple(failed))

    def report(self, rows):
        return ()
