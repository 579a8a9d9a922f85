"""What a page without a server carries in itself: scripts, style and icon, as text.

The libraries are read from the installed packages, so the page draws with the very code that the
app draws with.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

OFFLINE = "offline"
"""The folder in assets/ of what only such a page uses; the app's server leaves it out."""
REPORT = "report"
"""Likewise, of what only the page of a study's report uses."""
_FIRST = "storage.js"
_ICON = "icon.svg"


def find_assets_folder() -> Path:
    """Where the style and the scripts are: beside the package's modules, or in a checkout."""
    package = Path(__file__).parents[2]
    installed = package / "assets"
    return installed if installed.is_dir() else package.parent / "assets"


@cache
def read_scripts() -> tuple[str, ...]:
    """The app's own scripts and then what stands for Dash, in the order they run."""
    folder = find_assets_folder()
    first = folder / OFFLINE / _FIRST
    after = [path for path in sorted((folder / OFFLINE).glob("*.js")) if path != first]
    paths = [first, *sorted(folder.glob("*.js")), *after]
    return tuple(_escape_for_html(path.read_text(encoding="utf-8")) for path in paths)


@cache
def read_report_scripts() -> tuple[str, str]:
    """What a report's page runs before anything is shown, and what draws its figures."""
    folder = find_assets_folder() / REPORT
    first, then = (
        _escape_for_html((folder / name).read_text(encoding="utf-8"))
        for name in ("shade.js", "report.js")
    )
    return first, then


@cache
def read_report_style() -> str:
    """The style of a report's page."""
    return (find_assets_folder() / REPORT / "report.css").read_text(encoding="utf-8")


@cache
def read_libraries() -> tuple[str, ...]:
    """React, its DOM half, and Cytoscape as a React component, in the order they run."""
    react = files("dash") / "deps"
    names = [entry.name for entry in react.iterdir()]
    paths = [
        react / _find_newest("react", names),
        react / _find_newest("react-dom", names),
        files("dash_cytoscape") / "dash_cytoscape.min.js",
    ]
    return tuple(path.read_text(encoding="utf-8") for path in paths)


@cache
def read_style() -> str:
    """The app's style, with its icon in it."""
    texts = [
        path.read_text(encoding="utf-8") for path in sorted(find_assets_folder().glob("*.css"))
    ]
    return (
        "\n".join(texts).replace(f'url("{_ICON}")', f'url("{read_icon()}")').replace("</", "<\\/")
    )


@cache
def read_icon() -> str:
    """The icon as an address that holds it."""
    image = (find_assets_folder() / _ICON).read_bytes()
    return f"data:image/svg+xml;base64,{base64.b64encode(image).decode()}"


def hash_script(script: str) -> str:
    """What a Content-Security-Policy calls an inline script by."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def policy_from_scripts(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy: these scripts, inline styles, and nothing from anywhere."""
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src", *map(hash_script, scripts)]),
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "form-action 'none'",
            "base-uri 'none'",
        ]
    )


def _find_newest(library: str, names: list[str]) -> str:
    """The file of a library's highest version: ``react@18.3.1.min.js``."""
    found = [m for name in names if (m := re.fullmatch(rf"{library}@([\d.]+)\.min\.js", name))]
    return max(found, key=lambda match: tuple(map(int, match[1].split("."))))[0]


def _escape_for_html(script: str) -> str:
    r"""A script as it can stand in a page: nothing in it ends the element, or opens a comment.

    Both can only be in a string or a regular expression there, where ``\/`` and ``\!`` say the
    same as ``/`` and ``!``. Line ends are as a browser reads them, so that the hash is right.
    """
    plain = script.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"<(?=/script|!--)", "<\\\\", plain, flags=re.IGNORECASE)
