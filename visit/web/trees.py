"""Panels as plain trees, which the browser builds by itself.

Every Dash component on a page is asked again on each of the dozen steps that a callback takes, so
two hundred of them in a panel make each tap slow. A tree is data in one store; ``assets/panels.js``
makes elements and text nodes of it, and never markup, so a token can hold anything. An ``svg``
and all inside it are made in SVG's own namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from dash.development.base_component import Component

Tree = str | dict[str, Any]
"""A text, or an element: its ``tag``, its ``attributes`` as HTML has them, its ``children``."""
Attributes = Mapping[str, str | float | int | None]
Part = Component | Tree | int | float

SVG_TAGS = frozenset({"svg", "g", "path", "line", "circle", "rect", "text", "title"})

_NAMES = {
    "className": "class", "colSpan": "colspan", "htmlFor": "for", "spellCheck": "spellcheck",
    "tabIndex": "tabindex",
}  # fmt: skip
_AS_THEY_ARE = frozenset(
    {
        "alt", "disabled", "hidden", "id", "label", "max", "open", "role", "rows", "scope", "src",
        "style", "title", "value",
    }
)  # fmt: skip
_OF_SVG = frozenset(
    {
        "class", "cx", "cy", "d", "dx", "dy", "height", "id", "preserveAspectRatio", "r", "role",
        "rx", "transform", "viewBox", "width", "x", "x1", "x2", "y", "y1", "y2",
    }
)  # fmt: skip


def trees(parts: Iterable[Part]) -> list[Tree]:
    """The trees of several components."""
    return [tree(part) for part in parts]


def tree(part: Part) -> Tree:
    """The tree of a component of ``dash.html``; what is a tree already stays as it is.

    Raises:
        ValueError: it has a property that is no plain attribute.
    """
    if isinstance(part, dict):
        return part
    if not isinstance(part, Component):
        return str(part)
    made: dict[str, Any] = part.to_plotly_json()  # type: ignore[no-untyped-call]
    properties = made["props"]
    properties.pop("children", None)
    attributes = {}
    for name, value in properties.items():
        if value is not None and value is not False:
            attributes[_attribute(name)] = _text(value)
    return {
        "tag": made["type"].lower(),
        "attributes": attributes,
        "children": trees(children_of(part)),
    }


def children_of(part: Component) -> list[Part]:
    """What is right inside a component; Dash has a list of it, a single one, or nothing."""
    children = getattr(part, "children", None)
    if children is None:
        return []
    return list(children) if isinstance(children, list | tuple) else [children]


def svg(tag: str, attributes: Attributes | None = None, children: Iterable[Part] = ()) -> Any:
    """The tree of an SVG element, for which ``dash.html`` has no component.

    It can stand among a component's children, which is why its type is not said.

    Args:
        tag: One of ``SVG_TAGS``.
        attributes: As the element has them; ``None`` leaves one out.
        children: What is inside it.

    Raises:
        ValueError: a panel may hold no such element, or none with such an attribute.
    """
    if tag not in SVG_TAGS:
        raise ValueError(f"<{tag}> is no SVG element that a panel's tree can hold")
    said = {}
    for name, value in (attributes or {}).items():
        if name not in _OF_SVG and not name.startswith(("data-", "aria-")):
            raise ValueError(f"{name!r} is no attribute that a panel's SVG can hold")
        if value is not None:
            said[name] = value if isinstance(value, str) else f"{value:.6g}"
    return {"tag": tag, "attributes": said, "children": trees(children)}


def _attribute(name: str) -> str:
    if name in _AS_THEY_ARE or name.startswith(("data-", "aria-")):
        return name
    if name not in _NAMES:
        raise ValueError(f"{name!r} is no attribute that a panel's tree can hold")
    return _NAMES[name]


def _text(value: Any) -> str:
    if value is True:
        return ""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {said}" for name, said in value.items())
    return str(value)


_VOID = frozenset({"br", "hr", "img", "input"})


def html_from_tree(tree: Tree) -> str:
    """A tree as markup, for a page that is written as text; every text and value is escaped."""
    if isinstance(tree, str):
        return escape(tree, quote=False)
    attributes = sorted(tree["attributes"].items())  # Dash gives them in no order of its own
    said = "".join(f' {name}="{escape(value)}"' for name, value in attributes)
    start = f"<{tree['tag']}{said}>"
    if tree["tag"] in _VOID:
        return start
    return f"{start}{''.join(map(html_from_tree, tree['children']))}</{tree['tag']}>"
