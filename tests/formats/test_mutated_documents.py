"""Documents changed at random, seeded: each is read, drawn and written, or refused in one line.

``VISIT_MUTATIONS=3000 pytest tests/formats/test_mutated_documents.py`` tries as many; the suite
tries a few of them.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import time

from mutated import mutations, samples, use
from sample import make_flow, with_flow

from visit.graph.request import Request

COUNT = int(os.environ.get("VISIT_MUTATIONS", "30"))
MOST_SECONDS, MOST_GROWTH_MB = 5.0, 300.0
DOCUMENTS = samples(
    with_flow(make_flow(Request("a b c"), n_layers=1)),
    with_flow(make_flow(Request("a b c d"), n_layers=1, mixtures=(0,))),
    make_flow(n_layers=2, opened=()),
)


def peak_mb() -> float:
    """The most memory this process ever took."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def test_a_mutated_document_is_drawn_and_written_or_refused_in_one_line_within_bounds():
    used = 0
    for number, document in enumerate(mutations(DOCUMENTS, seed=0, count=COUNT)):
        start, before = time.process_time(), peak_mb()
        why = use(document, random.Random(number))
        taken, grown = time.process_time() - start, peak_mb() - before
        assert taken < MOST_SECONDS, f"mutation {number} took {taken:.1f} s"
        assert grown < MOST_GROWTH_MB, f"mutation {number} took {grown:.0f} MB"
        if why is None:
            used += 1
        else:
            assert why and "\n" not in why and len(why) <= 300, f"mutation {number}: {why[:400]!r}"
    assert 0 < used < COUNT
