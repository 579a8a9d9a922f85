r"""A document inside an HTML page: how its JSON is put there, and taken back.

The JSON stands in the page as it is, in a script element that no browser runs. Only ``<`` is
spelled ``\u003c``, which JSON allows, so that nothing in it can end the element.
"""

from __future__ import annotations

import re

from visit.errors import DocumentError

ID = "document"
_ELEMENT = re.compile(r'<script(?=[^<>]*\sid="document")[^<>]*>([^<]*)</script>', re.IGNORECASE)


def html_from_json(text: str) -> str:
    """The element that holds JSON text in a page; the inverse of ``json_from_html``."""
    return f'<script type="application/json" id="{ID}">{escape_markup(text)}</script>'


def json_from_html(page: str) -> str:
    """The JSON text that a page holds, with ``<`` still spelled as it is there.

    Raises:
        DocumentError: the page holds none.
    """
    found = _ELEMENT.search(page)
    if found is None:
        raise DocumentError("the page holds no flow document; give one that visit made")
    return found[1]


def escape_markup(text: str) -> str:
    r"""JSON text without ``<``, which it spells ``\u003c`` instead."""
    return text.replace("<", "\\u003c")
