"""Panels as plain trees, which the browser builds by itself.

Every Dash component on a page is asked again on each of the dozen steps that a callback takes, so
two hundred of them in a panel make each tap slow. A tree is data in one store; ``assets/app.js``
makes elements and text nodes of it, and never markup, so a token can hold anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dash.development.base_component import Component

Tree = str | dict[str, Any]
"""A text, or an element: its ``tag``, its ``attributes`` as HTML has them, its ``children``."""
Part = Component | Tree | int | float

_NAMES = {"className": "class", "colSpan": "colspan", "htmlFor": "for", "tabIndex": "tabindex"}
_AS_THEY_ARE = frozenset({"id", "title", "role", "value", "label", "disabled", "hidden", "open"})


def trees(parts: Iterable[Part]) -> list[Tree]:
    """The trees of several components."""
    return [tree(part) for part in parts]


def tree(part: Part) -> Tree:
    """The tree of a component of ``dash.html``.

    Raises:
        ValueError: it has a property that is no plain attribute.
    """
    if isinstance(part, dict):
        return part
    if not isinstance(part, Component):
        return str(part)
    made: dict[str, Any] = part.to_plotly_json()  # type: ignore[no-untyped-call]
    properties = made["props"]
    children = properties.pop("children", None)
    if children is None:
        children = []
    elif not isinstance(children, list | tuple):
        children = [children]
    attributes = {}
    for name, value in properties.items():
        if value is not None and value is not False:
            attributes[_attribute(name)] = _text(value)
    return {"tag": made["type"].lower(), "attributes": attributes, "children": trees(children)}


def _attribute(name: str) -> str:
    if name in _AS_THEY_ARE or name.startswith(("data-", "aria-")):
        return name
    if name == "style":
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
