"""The commands ``visit study …``: one measurement over many prompts, and its report."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from visit.cli.options import (
    Command,
    Parser,
    add_model,
    add_nothing,
    add_running,
    check_unicode,
    complain,
    count_from_text,
    running_from_arguments,
)
from visit.cli.progress import progress_bar
from visit.cli.streams import write_result
from visit.errors import RequestError, VisitError
from visit.graph.fields import text_from_value
from visit.text import align, duration, shorten

if TYPE_CHECKING:
    from visit.graph.studied.figure import Report
    from visit.studies.prompts import Prompts
    from visit.studies.run import Ran

_AUTO = "auto"
_REASON = 200
"""Letters of a reason that are said."""


def describe_run(command: Parser) -> None:
    """The options of ``visit study run``."""
    command.add_argument(
        "study", metavar="NAME", help="a study that visit study list tells of, or a path that ends "
        "in .py: a study of your own, whose code is run"
    )  # fmt: skip
    command.add_argument(
        "--set", metavar="OPTION=VALUE", action="append", default=[], dest="chosen",
        help="an option of the study, which visit study list tells of; may be given again",
    )  # fmt: skip
    add_model(command)
    prompts = command.add_argument_group("what is read")
    prompts.add_argument(
        "--prompts", metavar="FILE", required=True,
        help="text with a prompt a line, JSON Lines, JSON, CSV, TSV or Parquet; or bundled ones "
        "by their name, which visit study list tells of",
    )  # fmt: skip
    prompts.add_argument(
        "--column", metavar="C", help="the file's column with the prompt (default: prompt)"
    )
    prompts.add_argument(
        "--target-column", metavar="C",
        help="its column with the right answer (default: target, if there is one)",
    )  # fmt: skip
    prompts.add_argument(
        "--template", metavar="T",
        help="a prompt with slots, like 'The capital of {country} is', filled with the file's "
        "columns of these names",
    )  # fmt: skip
    prompts.add_argument(
        "--limit", metavar="N", type=int,
        help="so many prompts, drawn at random (default: all of a file, 100 bundled ones)",
    )  # fmt: skip
    prompts.add_argument(
        "--seed", metavar="N", type=int, default=0,
        help="draws them, and makes bundled ones (default: %(default)s)",
    )  # fmt: skip
    running = command.add_argument_group("how it is measured")
    running.add_argument(
        "--out", metavar="DIR", required=True,
        help="the study's folder; one with some of the rows is gone on with",
    )  # fmt: skip
    running.add_argument(
        "--batch", metavar="auto|N", default=_AUTO,
        help="how many prompts are measured and written together (auto: 64); memory that runs out "
        "halves them",
    )  # fmt: skip
    running.add_argument(
        "--workers", metavar="N", type=int, default=0,
        help="how many processes measure, each with a model of its own (default: this one alone)",
    )  # fmt: skip
    running.add_argument(
        "--ray", metavar="ADDRESS|auto",
        help="measure on a Ray cluster instead; auto is the one that this machine belongs to",
    )  # fmt: skip
    add_running(command)


def run_study(arguments: Namespace) -> None:
    """Measure what is not measured yet."""
    from visit.studies.loading import find_study
    from visit.studies.model_spec import ModelSpec
    from visit.studies.prompts import read_source
    from visit.studies.run import CHUNK
    from visit.studies.running import run_study as run_here

    if arguments.ray is not None and arguments.workers:
        raise RequestError(
            "--ray and --workers are both given; workers are this machine's: give one"
        )
    if arguments.workers < 0:
        raise RequestError(f"--workers is {arguments.workers}; give 0 or more")
    if arguments.template is not None:
        check_unicode("template", arguments.template)
    study = find_study(arguments.study, _chosen(arguments.chosen))
    chunk = CHUNK if arguments.batch == _AUTO else _at_least_one("--batch", arguments.batch)
    read = read_source(
        arguments.prompts,
        column=arguments.column,
        target_column=arguments.target_column,
        template=arguments.template,
        limit=arguments.limit,
        seed=arguments.seed,
    )
    _say_left_out(read)
    running = running_from_arguments(arguments)
    model = ModelSpec(arguments.model, **running)
    command = shlex.join(["visit", *sys.argv[1:]])
    with _goes_on(arguments.out, len(read.prompts)), progress_bar() as progress:
        if arguments.ray is None:
            ran = run_here(
                study, read.prompts, model, arguments.out, workers=arguments.workers, chunk=chunk,
                prompts_name=read.name, command=command, progress=progress,
            )  # fmt: skip
        else:
            from visit.studies.cluster import run_on_cluster

            ran = run_on_cluster(
                study, read.prompts, model, arguments.out, address=arguments.ray, chunk=chunk,
                prompts_name=read.name, command=command, progress=progress,
            )  # fmt: skip
    write_result(_say_ran(ran))
    if not ran.n and not ran.n_left:
        raise RequestError(
            f"no prompt could be measured: {ran.failed[0].reason}; mend what that says and give "
            "another folder"
        )


@contextmanager
def _goes_on(folder: str, total: int) -> Iterator[None]:
    """Say what is kept of a run that Ctrl + C ends, on stderr."""
    from visit.studies.folder import StudyFolder

    try:
        yield
    except KeyboardInterrupt:
        place = StudyFolder(folder)
        with suppress(VisitError):
            n_done = place.tally()[0] if place.has_manifest() else 0
            complain(
                f"stopped with {n_done:,} of {total:,} prompts measured; the same command "
                f"goes on with what {folder} keeps"
            )
        raise


def _chosen(given: list[str]) -> dict[str, str]:
    """The options of a study, as texts.

    Raises:
        RequestError: one is no ``OPTION=VALUE``, or is given twice.
    """
    chosen: dict[str, str] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or not name:
            raise RequestError(f"--set {one!r} is no OPTION=VALUE; give one like k=10")
        if name.replace("-", "_") in chosen:
            raise RequestError(f"--set gives {name} twice; give it once")
        chosen[name.replace("-", "_")] = value
    return chosen


def _at_least_one(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise RequestError(f"{name} is {text!r}; give auto, or a whole number from 1 on")
    return int(text)


def _say_left_out(read: Prompts) -> None:
    """Tell on stderr of lines that are no prompt."""
    if not read.left_out:
        return
    first = read.left_out[0]
    n = len(read.left_out)
    sys.stderr.write(
        f"visit: {n:,} line{'s' * (n > 1)} of {read.name} left out; line {first.line}: "
        f"{first.reason}\n"
    )


def _say_ran(ran: Ran) -> str:
    pace = f" ({ran.n_new / ran.seconds:.3g} a second)" if ran.n_new and ran.seconds > 0 else ""
    said = [f"{ran.n:,} prompts measured; {ran.n_new:,} gone through now, in "
            f"{duration(ran.seconds)}{pace}"]  # fmt: skip
    if ran.n_failed:
        said.append(
            f"{ran.n_failed:,} could not be, line {ran.failed[0].line} since "
            f"{shorten(ran.failed[0].reason, _REASON)}: {ran.folder / 'errors.parquet'} has all"
        )
    if ran.n_left:
        said.append(f"{ran.n_left:,} are left: the same command goes on")
    if ran.n:
        said.append(f"report: visit study report {shlex.quote(str(ran.folder))}")
    return "".join(f"{line}\n" for line in said)


def describe_report(command: Parser) -> None:
    """The options of ``visit study report``."""
    command.add_argument("folder", metavar="DIR", help="what visit study run wrote")
    command.add_argument(
        "--compare", metavar="DIR2", help="a second folder of the same study, side by side with it"
    )
    command.add_argument(
        "--study", metavar="FILE", help="of a study of your own, the file that draws its figures; "
        "its code is run"
    )  # fmt: skip
    output = command.add_argument_group("what is written")
    output.add_argument(
        "-o", "--output", metavar="FILE",
        help="a name in .html makes a page that works offline, .json the numbers, .csv a file a "
        "figure; - for JSON on stdout (default: report.html in DIR, or nowhere with --summary)",
    )  # fmt: skip
    output.add_argument("--summary", action="store_true", help="print the figures' numbers")
    output.add_argument(
        "--count", metavar="N", type=count_from_text, default=20,
        help="rows of a figure in the summary (default: %(default)s)",
    )  # fmt: skip


def report(arguments: Namespace) -> None:
    """Draw what was measured."""
    from visit.formats.study_summary import text_from_report

    reports = _reports(arguments)
    if arguments.summary:
        write_result("\n".join(text_from_report(one, arguments.count) for one in reports))
        if arguments.output is None:
            return
    output = arguments.output or str(Path(arguments.folder) / "report.html")
    for path in _write(reports, output):
        write_result(f"{path}\n")


def _reports(arguments: Namespace) -> list[Report]:
    from visit.studies.loading import find_study
    from visit.studies.report import report_on

    study = find_study(arguments.study) if arguments.study else None
    folders = [arguments.folder, *([arguments.compare] if arguments.compare else [])]
    reports = [report_on(folder, study) for folder in folders]
    first = reports[0]
    for other, folder in zip(reports[1:], folders[1:], strict=True):
        if (other.study, other.version) != (first.study, first.version):
            raise RequestError(
                f"{folder} is of the study {other.study} (version {other.version}), and "
                f"{arguments.folder} of {first.study} (version {first.version}); compare two of "
                "the same"
            )
    return reports


def _write(reports: list[Report], output: str) -> list[str]:
    """Write the report as what the file's ending names; the names of what was written."""
    from visit.formats.export import write_texts
    from visit.formats.files import write_whole
    from visit.formats.study_report import csv_from_report, json_from_report

    ending = Path(output).suffix.lower()
    if ending == ".html":
        from visit.web.studies.page import html_from_reports

        write_whole(output, html_from_reports(reports))
        return [output]
    if len(reports) > 1:
        raise RequestError(
            f"{output} cannot hold two reports; give a name in .html, or each report a file"
        )
    if ending == ".csv":
        return [str(one) for one in write_texts(csv_from_report(reports[0]), output)]
    if output != "-" and ending != ".json":
        raise RequestError(f"{output} names no kind of report; end it in .html, .json or .csv")
    text = json_from_report(reports[0])
    if output == "-":
        write_result(text.encode("utf-8"))
        return []
    write_whole(output, text)
    return [output]


def list_studies(arguments: Namespace) -> None:
    """Tell of the studies and the bundled prompts."""
    from visit.studies.catalogue import STUDIES
    from visit.studies.prompts import BUNDLED

    lines: list[str] = []
    for name, kind in STUDIES.items():
        lines += [name, f"  {kind.summary}"]
        if kind.needs_targets:
            lines.append("  needs a right answer of every prompt (the column target)")
        rows = [
            (f"  --set {one.name}={text_from_value(one.default)}", one.says)
            for one in kind.choices()
        ]
        lines += align(rows, set()) if rows else []
        lines.append("")
    lines.append("bundled prompts:")
    lines += align([(f"  --prompts {name}", one.summary) for name, one in BUNDLED.items()], set())
    write_result("".join(f"{line.rstrip()}\n" for line in lines))


COMMANDS = {
    "run": Command("measure something of many prompts", describe_run, run_study),
    "report": Command("draw what a study measured", describe_report, report),
    "list": Command("tell of the studies, their options and the bundled prompts", add_nothing,
                    list_studies),
}  # fmt: skip
"""A command each, by its name."""
