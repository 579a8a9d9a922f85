r"""A document inside an HTML page: how its JSON is put there, and taken back.

The JSON stands in the page compressed (gzip, as base64), in a script element that no browser runs:
a real model's document of 10 MB takes 4. Pages that hold it as it is, with ``<`` spelled
``\u003c``, are read as well: earlier versions made them.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import zlib

from visit.errors import DocumentError

ID = "document"
PACKED = "application/gzip"
"""The type of the element whose text is compressed."""
_ELEMENT = re.compile(r'<script(?=[^<>]*\sid="document")([^<>]*)>([^<]*)</script>', re.IGNORECASE)


def html_from_json(text: str) -> str:
    """The element that holds JSON text in a page; the inverse of ``json_from_html``."""
    return html_from_packed(ID, text, PACKED)


def html_from_packed(name: str, text: str, media_type: str = "text/plain") -> str:
    """An element of a page that holds a text, compressed.

    The time is left out, so that the same text packs the same.

    Args:
        name: The element's id.
        text: The text.
        media_type: One that no browser runs.
    """
    packed = base64.b64encode(gzip.compress(text.encode("utf-8"), mtime=0)).decode()
    return f'<script type="{media_type}" id="{name}">{packed}</script>'


def json_from_html(page: str, most_bytes: int | None = None) -> str:
    r"""The JSON text that a page holds; where it is not compressed, with ``<`` spelled ``\u003c``.

    Args:
        page: The page.
        most_bytes: The text may not be longer, as UTF-8; without end when left out.

    Raises:
        DocumentError: the page holds none, or one that is damaged or too long.
    """
    found = _ELEMENT.search(page)
    if found is None:
        raise DocumentError("the page holds no flow document; give one that visit made")
    attributes, said = found.groups()
    return _unpack(said, most_bytes) if PACKED in attributes.lower() else said


def _unpack(packed: str, most_bytes: int | None) -> str:
    """The text, without ever holding more than what is allowed."""
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # as gzip
    limit = 0 if most_bytes is None else most_bytes + 1
    try:
        content = unpacking.decompress(base64.b64decode(packed), limit)
        if most_bytes is not None and len(content) > most_bytes:
            raise DocumentError(
                f"the page's document is larger than {most_bytes / 2**20:.0f} MB; open it with "
                "visit show"
            )
        if not unpacking.eof:
            raise DocumentError("the page's document is cut off; save the page again, whole")
        return content.decode("utf-8")
    except (binascii.Error, zlib.error, UnicodeDecodeError) as error:
        raise DocumentError(f"the page's document is damaged ({error})") from None
