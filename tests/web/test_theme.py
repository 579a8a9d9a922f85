"""One table of looks: the screen, the print and the page say the same of every kind of node."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from visit.graph.flow import NodeKind
from visit.graph.kinds import NODES
from visit.web.exports.bundled import find_assets_folder
from visit.web.exports.figures.fitting import LONGEST_ROW
from visit.web.exports.svg import svg_from_elements
from visit.web.flow.stylesheet import stylesheets
from visit.web.look import COLOURINGS, Look
from visit.web.theme import LIGHT, PALETTES, THEMES, VISIT, choose_theme, css_variables

WEB = Path(__file__).parents[2] / "visit" / "web"
SVG = "{http://www.w3.org/2000/svg}"
LONG = "w" * 24
LETTER = {True: 0.6, False: 0.55}
"""How wide a letter is on average beside its size, where all are equally wide and where not."""
LOOKS = [
    Look(theme, palette, colouring)
    for theme, palette, colouring in itertools.product(THEMES, PALETTES, COLOURINGS)
]
SHEETS = stylesheets()
FRAMES: list[dict[str, Any]] = [
    {"frame": "band", "shade": 0},
    {"frame": "band", "shade": 1},
    {"frame": "column"},
    {"frame": "message"},
    *(
        {"frame": "row", "traced": traced, **flags}
        for traced in (0, 1)
        for flags in ({}, {"special": 1}, {"template": 1}, {"special": 1, "template": 1})
    ),
]

# ------------------------------------------------------------------ what Cytoscape would show


def holds(condition: str, data: dict[str, Any]) -> bool:
    """Whether one ``[…]`` of a selector holds for an element's data."""
    if condition[0] in "?!":
        return bool(data.get(condition[1:])) is (condition[0] == "?")
    match = re.fullmatch(r"([\w-]+)(?: (=|!=|<=|>) (?:'(.*)'|([\d.]+)))?", condition)
    assert match, condition
    name, sign, text, number = match.groups()
    if sign is None:
        return name in data
    wanted: Any = float(number) if number is not None else text
    if sign in ("=", "!="):
        return (data.get(name) == wanted) is (sign == "=")
    return name in data and (data[name] <= wanted if sign == "<=" else data[name] > wanted)


def selects(selector: str, data: dict[str, Any]) -> bool:
    """Whether a selector takes a node that the pointer has not touched."""
    for one in selector.split(", "):
        match = re.fullmatch(r"(node|edge)((?:\[[^]]+\])*)([.:]\w+)?", one)
        assert match, one
        kind, conditions, state = match.groups()
        if kind == "node" and not state:
            if all(holds(c, data) for c in re.findall(r"\[([^]]+)\]", conditions)):
                return True
    return False


def value_of(said: Any, data: dict[str, Any]) -> Any:
    """A property's value: mapped from the data where it says so."""
    match = re.fullmatch(r"mapData\((\w+), ([\d.]+), ([\d.]+), #(\w+), #(\w+)\)", str(said))
    if not match:
        return data[said[5:-1]] if str(said).startswith("data(") else said
    name, low, high, *ends = match.groups()
    part = (data[name] - float(low)) / (float(high) - float(low))
    start, end = map(bytes.fromhex, ends)
    return "#" + "".join(
        f"{round(a + (b - a) * part):02x}" for a, b in zip(start, end, strict=True)
    )


def screen_style(data: dict[str, Any], look: Look) -> dict[str, Any]:
    """The properties of a node on the screen: the rules that take it, in order."""
    sheet = SHEETS[look.theme][look.palette]
    style: dict[str, Any] = {}
    for rule in [*sheet["rules"], *sheet["colourings"][look.colouring]]:
        if selects(rule["selector"], data):
            style |= rule["style"]
    return {name: value_of(said, data) for name, said in style.items()}


# ------------------------------------------------------------------ what the SVG shows


def printed(data: dict[str, Any], look: Look) -> list[ElementTree.Element]:
    """What an SVG of one element holds beside its ground: the outline, if any, and the label."""
    element = {"data": data, "position": {"x": 0.0, "y": 0.0}}
    made = ElementTree.fromstring(svg_from_elements([element], look))
    grounds = {made, made[0], *made.findall(f"{SVG}svg"), *made.iter(f"{SVG}g")}
    return [part for part in made.iter() if part not in grounds and part.tag != f"{SVG}title"]


def check(data: dict[str, Any], look: Look) -> None:
    """The SVG's outline and label are those of the screen."""
    style = screen_style(data, look)
    *outline, text = printed(data, look)
    if style.get("background-opacity", 1) == 0:
        assert outline == []
    else:
        (shape,) = outline
        border = style["border-width"]
        is_dashed = style.get("border-style") == "dashed"
        assert shape.get("fill") == style["background-color"]
        assert shape.get("stroke") == (style["border-color"] if border else None)
        assert float(shape.get("stroke-width", 0)) == border
        assert shape.get("stroke-dasharray") == ("4 2" if is_dashed else None)
    assert text.get("font-family") == style["font-family"]
    assert float(text.get("font-size", 0)) == style["font-size"]
    assert int(text.get("font-weight", 400)) == style.get("font-weight", 400)
    assert text.get("font-style", "normal") == style.get("font-style", "normal")
    assert text.get("fill") == style["color"]
    assert ("rotate(-90" in text.get("transform", "")) is ("text-rotation" in style)
    if data.get("frame") == "row":  # it has a gutter of its own, as wide as it needs
        assert len(text.text or "") == min(len(LONG), LONGEST_ROW)
        return
    room = style.get("text-max-width", float("inf"))
    letter = style["font-size"] * LETTER["mono" in style["font-family"]]
    assert len(text.text or "") == min(len(LONG), room // letter)


@pytest.mark.parametrize("kind", NodeKind)
def test_a_node_in_the_svg_looks_as_on_the_screen(kind: NodeKind):
    node = {
        "id": "x",
        "kind": str(kind),
        "family": str(NODES[kind].role),
        "label": LONG,
        "tip": "",
        "w": 82.0,
    }
    levels = ({}, *({"rank": at, "entropy": at, "logit": at} for at in (0.0, 0.3, 0.9)))
    for look, is_open, measures in itertools.product(LOOKS, (0, 1), levels):
        check({**node, "h": 30.0, "open": is_open, "group": -1, "pinned": 0, **measures}, look)


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: "-".join(map(str, frame.values())))
def test_the_frame_in_the_svg_looks_as_on_the_screen(frame: dict[str, Any]):
    for look in LOOKS:
        check({"id": "x", "label": LONG, "w": 84.0, "h": 24.0, **frame}, look)


def test_a_group_s_halo_and_a_pin_s_are_in_the_svg():
    node = {"id": "x", "kind": "mlp", "family": "mlp", "label": "", "tip": "", "w": 82.0, "h": 30.0}
    for mark in ({"group": 2, "pinned": 0}, {"group": -1, "pinned": 1}, {"group": 1, "pinned": 1}):
        element = {"data": {**node, **mark}, "position": {"x": 0.0, "y": 0.0}}
        style = screen_style(element["data"], Look())
        halo = ElementTree.fromstring(svg_from_elements([element])).findall(f".//{SVG}rect")[1]
        assert halo.get("fill") == style["underlay-color"]
        assert float(halo.get("opacity", 1)) == style["underlay-opacity"]
        assert float(halo.get("width", 0)) == node["w"] + 2 * style["underlay-padding"]


# ------------------------------------------------------------------ one table


COLOUR = re.compile(
    r"#(?:[0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})\b|\b(?:rgb|hsl|hwb|lab|lch|oklab|oklch)a?\(\s*\d",
    re.IGNORECASE,
)
NAMED = re.compile(r":[^;{}]*\b(?:white|black|red|green|blue|gr[ae]y|orange|yellow|purple)\b(?!-)")
LAID_OUT = {"left", "right", "top", "bottom", "rows", "row", "columns", "column"}
"""The lens grid's, which assets/lens.js sets from the figure."""


def colours_in(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    found = [*COLOUR.finditer(text)]
    if path.suffix == ".css":
        found += NAMED.finditer(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    for match in found:
        yield f"{path.name}: {match.group()}"


def test_no_colour_stands_outside_the_table():
    files = [path for path in WEB.rglob("*.py") if path != WEB / "theme.py"]
    files += [path for end in ("css", "js") for path in find_assets_folder().rglob(f"*.{end}")]
    assert {path.name for path in files} >= {"app.css", "svg.py", "plotly.py", "graph.js"}
    assert [found for path in files for found in colours_in(path)] == []


def test_every_variable_that_a_style_uses_is_given():
    """By the table, or by the part of the page that it is of."""
    styles = "\n".join(
        path.read_text(encoding="utf-8") for path in find_assets_folder().glob("*.css")
    )
    sources = [*find_assets_folder().glob("*.js"), *WEB.rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    given = set(re.findall(r"--([\w-]+)\s*:", css_variables() + styles))
    given |= set(re.findall(r"""["'`]--([\w-]+)""", code))
    assert set(re.findall(r"var\(--([\w-]+)", styles)) <= given | LAID_OUT


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("name", THEMES)
def test_the_page_s_variables_are_the_theme_s(name: str, palette: str):
    """Applied as a browser does: the most specific rule last, of equals the later."""
    theme, shown = choose_theme(name, palette), {"data-theme": name, "data-palette": palette}
    rules = []
    for selector, body in re.findall(r"(\S+?)\{(.*)\}", css_variables()):
        wanted = dict(re.findall(r'\[([\w-]+)="(\w+)"\]', selector))
        if wanted.items() <= shown.items():
            rules.append((len(wanted), body))
    values: dict[str, str] = {}
    for _, body in sorted(rules, key=lambda rule: rule[0]):
        values |= dict(line.split(":", 1) for line in body.split(";") if line)
    assert values["color-scheme"] == name
    assert values["--plus"] == theme.plus and values["--accent-soft"] == theme.accent_soft
    assert values["--memory-key-border"] == theme.families["memory-key"].border
    assert values["--logit-ramp"] == ", ".join(theme.scale("logit"))
    assert (values["--plus"] == LIGHT.plus) is (name == "light" and palette != VISIT)
