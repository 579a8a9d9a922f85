"""What the screen says of why a head looks at a source: its numbers, its links, its words."""

from __future__ import annotations

import re

from sample import make_flow
from sample_scores import make_scores

from visit.graph.index import Index
from visit.web.attending.why import why_there
from visit.web.trees import html_from_tree, trees


def html_of(**changes: object) -> str:
    said = why_there(make_scores(**changes), Index(make_flow()))
    return "".join(map(html_from_tree, trees(said)))


def rows_of(html: str) -> list[str]:
    """The rows of both tables, as text."""
    found = re.findall(r"<tr[^>]*>(.*?)</tr>", html, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in found]


def test_both_sides_stand_with_their_running_sums_and_the_attention_without_each_part():
    html = html_of()
    rows = rows_of(html)
    assert "0.1 ·Osaka +2.00 +2.00 25.0 %" in rows
    assert "the norm's bias −0.50 +1.50 87.5 %" in rows
    assert "3 others +0.25 +1.75" in rows
    assert rows.count("the positions +0.25 +2.00") == 2
    assert "L0 MLP ·Tokyo +1.50 +1.50 50.0 %" in rows
    assert "Without it, it would attend 25.0 % instead of 75.0 %" in html


def test_a_part_is_gone_to_by_its_id_and_a_bias_is_not():
    html = html_of()
    assert 'data-node="L0.head1@7"' in html
    assert "L1.ln1@7" not in html


def test_a_cap_is_said_where_there_is_one():
    assert "capped at 50 before the softmax" in html_of(cap=50.0)
    assert "capped" not in html_of()
