"""Tokens that Plotly could take for markup, and how to find what it would read."""

from __future__ import annotations

import re

from sample import make_flow

from visit.graph.request import Request

HOSTILE = (
    "<b>x</b>", "<br>", "<a href='javascript:alert(1)'>q</a>", "&lt;i&gt;", "&#60;", "%{x}", "$x$",
    "<img src=x onerror=alert(1)>", "\u202ekcab", "", "</text><script>alert(1)</script>", "<sub>",
)  # fmt: skip
OURS = re.compile(r'</?b>|<br>|<span style="color:#[0-9a-f]{6}">|</span>')


def texts_of(figure) -> list[str]:
    """Every text that Plotly reads as markup."""
    found, waiting = [], [figure]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, str):
            found.append(part)
    return found


def hostile_flow():
    words = (*HOSTILE, *(f"w{i}" for i in range(20)))
    prompt = " ".join(word for word in HOSTILE if word)
    return make_flow(Request(prompt), words=words)
