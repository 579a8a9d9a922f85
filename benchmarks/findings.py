"""Run the paper's findings again, on the bundled model and a real one; write docs/findings.md.

    python benchmarks/findings.py [--limit 1000] [--models mini smollm2] [--prompts capitals]

Every study runs by its command (the page gives them), into ``.cache/findings``: one that is done is
not run again. The figures are pictures of the reports' own, taken in a headless browser.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from visit.graph.studied.figure import Figure, Report
from visit.studies.report import report_on
from visit.text import several
from visit.web.studies.page import html_from_reports

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "findings"
PAGE, PICTURES = ROOT / "docs" / "findings.md", ROOT / "docs" / "findings"
STUDIES = (
    "heads-and-residual", "norms-as-filters", "always-on", "right-and-wrong", "agreement",
    "head-scores", "sinks",
)  # fmt: skip
DRAWN = {
    "heads-and-residual": ("heads-by-layer", "heads-by-norm"),
    "norms-as-filters": ("classes", "ranks"),
    "always-on": ("where", "text-loss"),
    "right-and-wrong": ("answer",),
    "agreement": ("agreement-heads",),
    "head-scores": ("induction",),
    "sinks": ("heads",),
}
"""The figures of each study that stand on the page; the others are told in their sentence alone."""
OTHER_PROMPTS = {"head-scores": "repeats"}
"""A prompt without a token that comes again says nothing of duplicate and induction heads."""


def main() -> None:
    """Measure what is not measured yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--models", nargs="+", default=["mini", "smollm2"])
    parser.add_argument("--prompts", default="capitals")
    parser.add_argument("--only-write", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    runs = list(_runs(arguments))
    if not arguments.only_write:
        for command, folder in runs:
            subprocess.run(
                [sys.executable, "-c", "from visit.cli.main import main; raise SystemExit(main())",
                 *command, "--out", str(folder)], cwd=ROOT, check=True,
            )  # fmt: skip
    _write(arguments.models, runs)


def _runs(arguments: argparse.Namespace) -> Iterator[tuple[list[str], Path]]:
    """Each study's command but for its folder, and that."""
    for model in arguments.models:
        for study in STUDIES:
            prompts = OTHER_PROMPTS.get(study, arguments.prompts)
            command = ["study", "run", study, "--model", model, "--prompts", prompts]
            yield [*command, "--limit", str(arguments.limit)], CACHE / model / study


def _write(models: Sequence[str], runs: Sequence[tuple[list[str], Path]]) -> None:
    PICTURES.mkdir(exist_ok=True)
    commands = [
        "visit " + " ".join([*command, "--out", os.path.relpath(folder, CACHE)])
        for command, folder in runs
    ]
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    for study in STUDIES:
        reports = [one for model in models if (one := _report(model, study)) is not None]
        if reports:
            _take_pictures(study, reports)
            text = _replace(text, study, _section(study, reports))
    listed = "\n".join(["```sh", *commands, "```"])
    text = _replace(text, "commands", listed)
    PAGE.write_text(text, encoding="utf-8")


def _report(model: str, study: str) -> Report | None:
    """The report of what is measured so far; ``None`` where nothing is."""
    folder = CACHE / model / study
    if not any((folder / "rows").glob("*.parquet")):
        return None
    report = report_on(folder)
    if report.n_left:
        raise SystemExit(
            f"{folder} lacks {report.n_left:,} prompts; run again without --only-write"
        )
    return report


def _replace(text: str, name: str, content: str) -> str:
    """The page with what stands between two marks replaced; what is told around them stays."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    if not re.search(pattern, text, re.DOTALL):
        return f"{text.rstrip()}\n\n<!-- {name} -->\n{content}\n<!-- /{name} -->\n"
    return re.sub(pattern, lambda found: f"{found[1]}{content}\n{found[2]}", text, flags=re.DOTALL)


def _section(study: str, reports: Sequence[Report]) -> str:
    lines = [f"*{reports[0].summary}*", ""]
    for figure in _figures(reports):
        found = ""
        if figure.expected:
            who, what = figure.finding
            found = f" {who} found {what}."
        lines += [f"**{figure.title}.**{found}", ""]
        for report in reports:
            if (said := _of(report, figure.name)) is not None:
                n = f"{said.n:,} {several(said.of)}"
                lines.append(f"- `{report.model.name}`, {n}: {said.says}")
        lines.append("")
        if figure.name in DRAWN[study]:
            lines += [f"![{figure.title}](findings/{study}-{figure.name}.png)", ""]
    return "\n".join(lines).rstrip()


def _figures(reports: Sequence[Report]) -> list[Figure]:
    """The figures of all, each once."""
    named: dict[str, Figure] = {}
    for report in reports:
        for figure in report.figures:
            named.setdefault(figure.name, figure)
    return list(named.values())


def _of(report: Report, name: str) -> Figure | None:
    return next((one for one in report.figures if one.name == name), None)


def _take_pictures(study: str, reports: Sequence[Report]) -> None:
    """Pictures of a report's figures, the models side by side."""
    place = CACHE / f"{study}.html"
    place.write_text(html_from_reports(reports), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("VISIT_BROWSER"))
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        page.goto(place.as_uri())
        page.wait_for_selector(".js-plotly-plot .main-svg")
        for name in DRAWN[study]:
            title = next(one.title for one in _figures(reports) if one.name == name)
            section = page.locator("section.figure").filter(
                has=page.get_by_role("heading", name=title, exact=True)
            )
            section.scroll_into_view_if_needed()
            page.wait_for_timeout(300)
            section.screenshot(path=PICTURES / f"{study}-{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
