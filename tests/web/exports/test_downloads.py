"""What can be kept of a graph: files of each format, and the image as SVG."""

import base64
import io
import json
import zipfile
from xml.etree import ElementTree

import pytest
from sample import make_flow, with_flow

from visit.formats.document import flow_from_html, flow_from_json
from visit.formats.registry import FORMATS, Maker, formats_made_by
from visit.graph.flow import NodeId, NodeKind, Note
from visit.graph.index import Index
from visit.graph.request import Request
from visit.web.colours import colour_at
from visit.web.exports.downloads import DRAWN, download
from visit.web.exports.svg import svg_from_elements, svg_from_flow
from visit.web.flow import elements
from visit.web.look import COLOURINGS, WIDTHS, Look, Room
from visit.web.state.view import View
from visit.web.theme import LIGHT
from visit.web.words import file_name

SVG = "{http://www.w3.org/2000/svg}"
OPENED = tuple(map(NodeId.parse, ("L1.attn@7", "L1.head0@7", "L2.mlp@7")))


def drawn(**how):
    return elements.draw(Index(make_flow(**how)), OPENED)[1]


def paths(svg):
    return ElementTree.fromstring(svg).findall(f".//{SVG}path")


def nodes(svg):
    return [g for g in ElementTree.fromstring(svg).iter(f"{SVG}g") if g.get("id")]


def test_the_svg_has_every_node_and_edge_that_is_drawn():
    made = drawn()
    groups = nodes(svg_from_elements(made))
    assert {g.get("id") for g in groups} == {e["data"]["id"] for e in made if "family" in e["data"]}
    assert len(paths(svg_from_elements(made))) == sum("source" in e["data"] for e in made)


def test_the_svg_has_the_parts_that_are_asked_for_with_their_bars():
    flow = with_flow(make_flow())
    for count in (0, 7):
        root = ElementTree.fromstring(svg_from_flow(flow, (), Look(count=count)))
        bars = [
            group
            for group in root.iter(f"{SVG}g")
            if group.get("id") and group.find(f"{SVG}rect[@height='4']") is not None
        ]
        assert len(bars) == count


def test_the_svg_holds_every_box_inside_its_frame():
    root = ElementTree.fromstring(svg_from_elements(drawn()))
    frames = root.findall(f"{SVG}svg")
    assert len(frames) == 2  # the rows' titles, and the drawing
    for frame in frames:
        x, y, width, height = map(float, frame.get("viewBox").split())
        texts = list(frame.iter(f"{SVG}text"))
        assert texts
        for text in texts:
            assert x < float(text.get("x")) < x + width
            assert y < float(text.get("y")) < y + height


def test_a_hostile_token_is_text_in_the_svg():
    hostile = "<script>alert(1)</script> \u202e</text><image href='javascript:alert(1)'/>"
    svg = svg_from_elements(drawn(request=Request(f"{hostile} a b c d e f g")))
    tags = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(svg).iter()}
    assert tags <= {"svg", "rect", "g", "title", "ellipse", "polygon", "path", "text"}


def test_each_theme_has_its_own_svg_and_the_same_graph_the_same():
    assert svg_from_elements(drawn()) == svg_from_elements(drawn())
    assert svg_from_elements(drawn()) != svg_from_elements(drawn(), Look("dark"))


def test_an_empty_picture_is_still_an_svg():
    assert ElementTree.fromstring(svg_from_elements([])).tag == f"{SVG}svg"


def test_every_format_of_the_command_line_and_the_server_has_one_writer():
    made = formats_made_by(Maker.COMMAND_LINE | Maker.SERVER)
    assert {ending for ending, row in made.items() if row.write is None} == DRAWN.keys()


@pytest.mark.parametrize(
    ("maker", "endings"),
    [
        (Maker.COMMAND_LINE, ["json", "html", "svg", "graphml", "gexf", "cyjs", "csv"]),
        (Maker.SERVER, ["json", "html", "svg", "graphml", "csv"]),
        (Maker.OFFLINE_PAGE, ["json", "svg"]),
        (Maker.BROWSER, ["png"]),
    ],
)
def test_each_can_make_these_formats(maker, endings):
    assert list(formats_made_by(maker)) == endings


@pytest.mark.parametrize("kept", formats_made_by(Maker.SERVER))
def test_every_format_is_a_file_named_after_the_prompt_and_the_model(kept):
    flow = make_flow(opened=(1, 2))
    view = View("k", flow.request, OPENED)
    file = download(FORMATS[kept], Index(flow), view, Look("dark"))
    ending = "csv.zip" if kept == "csv" else kept
    model = file_name("", flow.model.name).removeprefix("visit-flow-")
    assert file["filename"] == f"visit-the-capital-of-japan-is-the-city-of-{model}.{ending}"
    if kept == "json":
        assert json.loads(file["content"])["schema"] == "visit.flow/2"
    elif kept == "csv":
        archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(file["content"])))
        assert archive.namelist() == ["nodes.csv", "edges.csv"]
        assert archive.read("nodes.csv").count(b"\r\n") == len(flow.nodes) + 1
    elif kept == "html":
        assert flow_from_html(file["content"]) == flow
    else:
        ElementTree.fromstring(file["content"])


def test_a_picture_looks_as_by_default_where_it_is_asked_for_what_is_unknown():
    asked = {"theme": "x", "palette": 3, "colouring": None, "width": "?", "parts": "a", "hidden": 1}
    assert Look.parse(asked) == Look.parse({}) == Look()
    said = {"theme": "dark", "palette": "visit", "parts": "12", "hidden": ["mlp"]}
    said |= {"kept": "L1.mlp@3 nothing", "unfolded": "0 2 x", "room": [1000, 480.5]}
    assert Look.parse(said) == Look(
        "dark",
        "visit",
        hidden=frozenset({"mlp"}),
        count=12,
        kept=frozenset({NodeId(NodeKind.MLP, 3, 1)}),
        unfolded=frozenset({0, 2}),
        room=Room(1000.0, 480.5),
    )


def test_what_the_legend_hides_is_not_in_the_svg_nor_are_its_edges():
    shown = svg_from_elements(drawn(), Look(hidden=frozenset({"mlp", "memory-key"})))
    groups = nodes(shown)
    assert groups and not any(".mlp@" in g.get("id") for g in groups)
    assert len(paths(shown)) < len(paths(svg_from_elements(drawn())))


@pytest.mark.parametrize("colouring", COLOURINGS)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_svg_says_in_colour_and_width_what_the_screen_says(colouring, width):
    made = drawn()
    root = ElementTree.fromstring(svg_from_elements(made, Look(colouring=colouring, width=width)))
    head = next(e["data"] for e in made if e["data"]["id"] == "L1.head0@7")
    ellipse = next(g for g in root.iter(f"{SVG}g") if g.get("id") == head["id"])[1]
    wanted = LIGHT.families["attention"].fill
    if colouring == "difference":  # of a plain pass there is none
        wanted = LIGHT.band_shade
    elif colouring != "kind":
        wanted = colour_at(LIGHT.scale(colouring), head[colouring])
    assert ellipse.get("fill") == wanted
    drawn_widths = sorted(float(path.get("stroke-width")) for path in root.iter(f"{SVG}path"))
    wanted_widths = sorted(e["data"][f"w_{width}"] for e in made if "source" in e["data"])
    assert drawn_widths == pytest.approx(wanted_widths)


def test_a_kept_graph_has_the_reader_s_notes():
    flow = make_flow()
    note = Note(NodeId.parse("L1.head0@7"), name="mover", text="reads Japan", group="facts")
    file = download(FORMATS["json"], Index(flow), View("k", flow.request, OPENED, (note,)))
    assert flow_from_json(file["content"]).notes == (note,)
    picture = download(FORMATS["svg"], Index(flow), View("k", flow.request, OPENED, (note,)))
    assert ">mover<" in picture["content"]
