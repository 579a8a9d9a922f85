"""What a notebook shows of a graph: an image, or the page in a frame."""

import base64
import sys
from dataclasses import replace
from html.parser import HTMLParser
from types import ModuleType
from xml.etree import ElementTree

import pytest
from sample import make_flow

from visit.errors import VisitError
from visit.graph.request import Request
from visit.text import visible
from visit.web.exports.notebook import frame_from_flow, picture_from_flow
from visit.web.exports.offline import html_from_flow

HOSTILE = "<script>alert(1)</script>' onload='x"
FLOW = make_flow(n_layers=1, opened=())


def elements_of(page):
    """Every element with its attributes, as a parser that is not ours reads them."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    parser.feed(page)
    return found


def test_a_graph_that_is_a_cell_s_value_is_a_picture_of_its_route_and_the_best_next_tokens():
    said = FLOW._repr_html_()
    assert said == picture_from_flow(FLOW)
    assert all(visible(prediction.text) in said for prediction in FLOW.predictions[:5])
    image = next(attributes for tag, attributes in elements_of(said) if tag == "img")
    kind, content = image["src"].split(",")
    assert kind == "data:image/svg+xml;base64"
    assert ElementTree.fromstring(base64.b64decode(content)).tag.endswith("svg")
    assert "max-width: 100%" in image["style"]


def test_a_hostile_token_is_text_in_a_notebook():
    flow = make_flow(Request(f"{HOSTILE} is"), words=(HOSTILE, *map(str, range(20))), n_layers=1)
    tags = {tag for tag, _ in elements_of(picture_from_flow(flow))}
    assert tags == {"div", "p", "img", "table", "tbody", "tr", "td", "code", "strong"}
    frames = elements_of(frame_from_flow(replace(flow, predictions=flow.predictions[:1]), 300))
    assert [tag for tag, _ in frames] == ["iframe"]
    assert frames[0][1].keys() == {"sandbox", "style", "srcdoc"}


def test_the_frame_holds_the_page_that_works_offline_apart_from_the_notebook():
    (_, attributes), *others = elements_of(frame_from_flow(FLOW, 480))
    assert others == []
    assert attributes["srcdoc"] == html_from_flow(FLOW)
    assert "height: 480px" in attributes["style"]
    assert "allow-same-origin" not in attributes["sandbox"]


def test_a_frame_without_height_is_refused():
    with pytest.raises(ValueError, match="0 pixels high shows nothing"):
        frame_from_flow(FLOW, 0)


def test_show_displays_the_frame(monkeypatch):
    displayed = []
    module = ModuleType("IPython.display")
    module.display = lambda data, raw: displayed.append((data, raw))
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    FLOW.show(height=300)
    (data, raw), *others = displayed
    assert raw and others == []
    assert data["text/html"] == frame_from_flow(FLOW, 300)
    assert data["text/plain"].startswith(FLOW.request.prompt)


def test_show_without_ipython_is_told_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(VisitError, match="IPython is not installed; write the graph") as told:
        FLOW.show()
    assert "\n" not in str(told.value)
