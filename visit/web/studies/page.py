"""A study's report as one HTML file that works offline; of two reports, their figures side by side.

Everything that a report says is text: it goes through ``html_from_tree``, or ``literal`` in a plot.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from plotly.offline import get_plotlyjs

from visit.formats.document import compact_json
from visit.formats.study_report import json_from_report
from visit.graph.studied.figure import Figure, Report
from visit.text import counted, one_line
from visit.web.exports.bundled import (
    policy_from_scripts,
    read_icon,
    read_report_scripts,
    read_report_style,
)
from visit.web.plots.plotly import Figure as Drawing
from visit.web.studies.elements import element, file_link
from visit.web.studies.figures import axes_of, draw
from visit.web.studies.listed import list_keys, list_numbers
from visit.web.theme import THEMES, css_variables
from visit.web.trees import Tree, html_from_tree
from visit.web.words import file_name, model_title

_DIGEST = 12
"""So many letters of the weights' digest tell models apart."""


def html_from_reports(reports: Sequence[Report]) -> str:
    """The page: who was measured, and each figure with its sentence, plot, numbers and files.

    Args:
        reports: One, or two of the same study; figures of one name stand side by side, on equal
            axes.

    Raises:
        ValueError: there is none, or more than two.
        DocumentError: a number is not finite, which JSON cannot say.
    """
    if not 1 <= len(reports) <= 2:
        raise ValueError(f"{len(reports)} reports were given; a page shows one, or two together")
    drawings: dict[str, dict[str, Drawing]] = {}
    names = list(dict.fromkeys(figure.name for one in reports for figure in one.figures))
    sections = [
        _section(reports, name, f"figure-{at}", drawings) for at, name in enumerate(names, start=1)
    ]
    body = [_header(reports), *_contents(sections), element("main", *sections)]
    title = _title(reports)
    shade, script = read_report_scripts()
    plotly = get_plotlyjs()
    data = compact_json(drawings).replace("<", "\\u003c")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta http-equiv="Content-Security-Policy" '
            f'content="{policy_from_scripts([shade, plotly, script])}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta name="generator" content="visit {escape(reports[0].visit_version)}">',
            f"<title>{escape(title)}</title>",
            f'<link rel="icon" type="image/svg+xml" href="{read_icon()}">',
            f"<script>{shade}</script>",
            f"<style>{css_variables()}\n{read_report_style()}</style>",
            "</head>",
            '<body class="is-pair">' if len(reports) == 2 else "<body>",
            *map(html_from_tree, body),
            "<noscript><p>The plots need scripts; the numbers are below each.</p></noscript>",
            f'<script type="application/json" id="figures">{data}</script>',
            f"<script>{plotly}</script>",
            f"<script>{script}</script>",
            "</body>",
            "</html>\n",
        ]
    )


def _title(reports: Sequence[Report]) -> str:
    models = " and ".join(model_title(one.model.name) for one in reports)
    return f"{one_line(reports[0].title or reports[0].study)}: {models}"


def _header(reports: Sequence[Report]) -> Tree:
    first = reports[0]
    button = element(
        "button", "Light or dark", id="shade", hidden="", type="button",
        title="Switch between light and dark",
    )  # fmt: skip
    words = element(
        "div",
        element("h1", one_line(first.title or first.study)),
        element("p", first.summary, class_="summary"),
    )
    return element(
        "header",
        element("div", words, button, class_="top"),
        element("div", *map(_about, reports), class_="sides"),
    )


def _about(report: Report) -> Tree:
    model = report.model
    digest = model.weights_sha256[:_DIGEST]
    sizes = f"{counted(model.n_layers, 'layer')} × {counted(model.n_heads, 'head')}"
    about = [sizes, model.dtype, *([f"weights {digest}"] if digest else [])]
    if model.revision:
        about.append(f"revision {model.revision[:_DIGEST]}")
    if model.quantized:
        about.append(f"packed as {model.quantized}")
    counts = [f"{report.n:,} measured", f"{report.n_failed:,} failed", f"{report.n_left:,} left"]
    options = ", ".join(f"{name} {value}" for name, value in sorted(report.options.items()))
    said: list[tuple[str, str | Tree]] = [
        ("model", ", ".join(about)),
        ("prompts", f"{one_line(report.prompts)}: {', '.join(counts)}"),
        ("study", f"{report.study}, version {report.version}; visit {report.visit_version}"),
        *([("options", options)] if options else []),
        ("again", element("code", report.command)),
        ("report", _whole_file(report)),
    ]
    pairs = [part for name, text in said for part in (element("dt", name), element("dd", text))]
    return element(
        "section",
        element("h2", one_line(model.name)),
        element("dl", *pairs),
        class_="about",
        aria_label=f"What was measured of {one_line(model.name)}",
    )


def _whole_file(report: Report) -> Tree:
    name = file_name(report.study, report.model.name)
    return file_link("all figures as JSON", f"{name}.json", json_from_report(report))


def _contents(sections: Sequence[Tree]) -> list[Tree]:
    """A list of the figures, where there are several."""
    if len(sections) < 2:
        return []
    links = []
    for section in sections:
        assert isinstance(section, dict)
        heading = section["children"][0]["children"][0]
        links.append(element("li", element("a", heading, href=f"#{section['attributes']['id']}")))
    heading = element("h2", "Figures", id="contents")
    return [element("nav", heading, element("ol", *links), aria_labelledby="contents")]


def _section(
    reports: Sequence[Report], name: str, id_: str, drawings: dict[str, dict[str, Drawing]]
) -> Tree:
    """A figure of each report that has one, and their drawings by where they go."""
    found = [next((one for one in report.figures if one.name == name), None) for report in reports]
    first = next(one for one in found if one is not None)
    of_one_kind = [one for one in found if one is not None and one.kind is first.kind]
    shared = axes_of(of_one_kind)
    sides = []
    for at, (report, figure) in enumerate(zip(reports, found, strict=True)):
        named = [element("h3", one_line(report.model.name))] if len(reports) > 1 else []
        if figure is None:
            missing = element("p", "The report of this model has no such figure.", class_="hint")
            sides.append(element("div", *named, missing))
            continue
        plot = f"{id_}-{at}"
        axes = shared if figure.kind is first.kind else axes_of([figure])
        drawings[plot] = {shade: draw(figure, axes, theme) for shade, theme in THEMES.items()}
        height = drawings[plot]["light"]["layout"]["height"]
        quoted = [] if len(reports) > 1 else _expect(figure)
        sides.append(element("div", *named, *_side(report, figure, plot, height, quoted)))
    # Of one report its sentence leads; of two, what both are held against stands before them.
    quote = _expect(_first_expected(found)) if len(reports) > 1 else []
    return element(
        "section",
        element("h2", one_line(first.title), id=f"{id_}-title"),
        *quote,
        element("div", *sides, class_="sides"),
        id=id_,
        class_="figure",
        aria_labelledby=f"{id_}-title",
    )


def _first_expected(found: Sequence[Figure | None]) -> Figure | None:
    return next((one for one in found if one is not None and one.expected), None)


def _expect(figure: Figure | None) -> list[Tree]:
    """What was found before, after the words that say whose it is."""
    if figure is None or not figure.expected:
        return []
    who, what = figure.finding
    return [element("p", element("b", f"{who} found "), what, class_="expected")]


def _side(
    report: Report, figure: Figure, plot: str, height: int, quoted: Sequence[Tree]
) -> list[Tree]:
    said = f"{one_line(figure.title)}. {one_line(figure.says)}"
    return [
        element("p", figure.says.replace(" %", "\u00a0%"), class_="says"),
        *quoted,
        *list_keys(figure),
        element(
            "div", id=plot, class_="plot", style=f"height: {height}px", role="img", aria_label=said
        ),
        *list_numbers(report, figure),
    ]
