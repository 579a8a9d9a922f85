"""How sinks are drawn: what stands over a figure fits over it, and parts are written one way."""

from __future__ import annotations

import re

from visit.engine.exploring import ReadSinks
from visit.graph.request import Request
from visit.session import Session
from visit.web.explore.view import Shown
from visit.web.explore.views.sinks import draw_sinks
from visit.web.theme import LIGHT

_NARROW = 640
"""What the figure has at a page of 1280 px."""
_LETTER = 6.0
"""A letter's width in px, widely."""


def test_what_stands_over_a_figure_fits_over_it_and_parts_are_written_one_way():
    found = Session.load("mini").ask(ReadSinks(Request("The capital of Japan is")))
    layout = draw_sinks(Shown(found, {}, LIGHT, _NARROW))["layout"]
    room = _NARROW - layout["margin"]["l"] - layout["margin"]["r"]
    for axis, said in zip(("xaxis", "xaxis2"), layout["annotations"], strict=True):
        begins, ends = layout[axis]["domain"]
        text = re.sub(r"<[^>]*>", "", said["text"]).replace("&nbsp;", " ")
        assert len(text) * _LETTER < (ends - begins) * room
    assert not re.search(r"\d%", " ".join(found.findings()))
