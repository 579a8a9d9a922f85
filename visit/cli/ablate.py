"""``visit ablate`` and ``visit patch``: what parts cause, measured by changing them."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from visit.cli.ablating import add_memories, add_positions, add_reference, read_reference
from visit.cli.options import (
    Parser,
    add_model,
    add_output,
    add_running,
    check_unicode,
    count_from_text,
    load_session,
)
from visit.cli.progress import progress_bar
from visit.cli.prompt_input import add_prompt, check_prompt_named
from visit.cli.request_options import (
    add_prompt_ids,
    add_reading,
    add_tokens,
    names_from_text,
    request_from_arguments,
)
from visit.cli.results import check_output, write_answer
from visit.engine.patching import ask_answer, contrast, patch_everywhere
from visit.engine.questions import Measure
from visit.errors import RequestError
from visit.graph.interventions import OWN_PROMPT, SORTS, Positions, Unit, Way
from visit.graph.metric import MetricChoice
from visit.graph.request import Request

if TYPE_CHECKING:
    from visit.graph.effects import Effects
    from visit.session import Session

_UNITS = [unit.value for unit in Unit if unit is not Unit.METRIC]
_PATCHED = ("resid", "attn", "mlp", "heads")
"""The sorts of part that are patched everywhere, one at a time: each makes a grid."""
_DEFAULTS = {field.name: field.default for field in fields(Measure)}


def describe_ablate(command: Parser) -> None:
    """The options of ``visit ablate``."""
    add_prompt(command, "the text the model reads, or with --chat the messages")
    add_model(command)
    add_tokens(command)
    add_reading(command)
    add_prompt_ids(command)
    _add_metric(command)
    changes = command.add_argument_group("what is changed")
    changes.add_argument(
        "--parts",
        metavar="heads,memories,...|ID,ID,...",
        default="heads,attn,mlp",
        help=f"sorts of part ({', '.join(SORTS)}), or sites like L5.head3@7, L5.mlp@* (every "
        "position) and L5.head3@7<2 (what a head takes from position 2) (default: %(default)s)",
    )
    changes.add_argument(
        "--how",
        metavar="WAY",
        default=_DEFAULTS["how"],
        help=f"{', '.join(Way)}; scale and add with their number, like scale:0.5 "
        "(default: %(default)s)",
    )
    add_reference(
        changes,
        "the prompt that values come from, or a text file with one a line; for mean also "
        f"{OWN_PROMPT!r}, the prompt's own positions",
    )
    add_positions(changes)
    add_memories(changes, Measure)
    changes.add_argument(
        "--together", action="store_true", help="change all sites in one pass, not each in its own"
    )
    changes.add_argument(
        "--estimate-only", action="store_true", help="predict by a gradient and measure nothing"
    )
    changes.add_argument(
        "--steps",
        metavar="N",
        type=int,
        default=_DEFAULTS["steps"],
        help="average the estimate's gradient over so many passes (integrated gradients) "
        "(default: %(default)s, attribution patching)",
    )
    add_running(command)
    _add_output(command)


def describe_patch(command: Parser) -> None:
    """The options of ``visit patch``."""
    command.add_argument(
        "prompt", metavar="CLEAN", help="the prompt whose values are put into the other's pass"
    )
    command.add_argument(
        "corrupt", metavar="CORRUPT", help="the prompt whose pass is changed, of as many tokens"
    )
    add_model(command)
    add_tokens(command)
    add_reading(command)
    _add_metric(command)
    command.add_argument(
        "--parts",
        metavar="|".join(_PATCHED),
        default="resid",
        choices=_PATCHED,
        help="what is patched, at every layer and position; heads at all positions together "
        "(default: %(default)s)",
    )
    add_running(command)
    _add_output(command)
    command.set_defaults(prompt_file=None)


def _add_metric(command: Parser) -> None:
    command.add_argument(
        "--metric",
        choices=[*(one.value for one in MetricChoice), *_UNITS],
        default=MetricChoice.CHOICE.value,
        help="what changes are of: the target's logit less the candidates' mean (choice) or the "
        "vocabulary's (centred), the logit itself, its log-probability, or the whole prediction's "
        "divergence (default: %(default)s)",
    )


def _add_output(command: Parser) -> None:
    output = add_output(command, "the strongest effects and how well predictions agree with them")
    output.add_argument(
        "--count",
        metavar="N",
        type=count_from_text,
        default=50,
        help="effects listed in the summary (default: %(default)s)",
    )


def ablate(arguments: Namespace) -> None:
    """Change sites of one pass and write what that does to the prediction."""
    check_prompt_named(arguments, "ablate")
    request, unit = _request(arguments)
    question = Measure(
        request,
        parts=names_from_text(arguments.parts),
        how=arguments.how,
        reference=read_reference(arguments.reference),
        positions=Positions(arguments.positions),
        memories=arguments.n_memories,
        together=arguments.together,
        unit=unit,
        estimate_only=arguments.estimate_only,
        steps=arguments.steps,
    )
    check_output(arguments)
    with progress_bar() as progress:
        effects = load_session(arguments, progress).ask(question, progress)
    _write(effects, arguments)


def patch(arguments: Namespace) -> None:
    """Put one prompt's values into another's pass, everywhere, and write how far each goes."""
    clean, unit = _request(arguments)
    check_unicode("corrupt prompt", arguments.corrupt)
    corrupt = replace(clean, prompt=arguments.corrupt)
    check_output(arguments)
    with progress_bar() as progress:
        session = load_session(arguments, progress)
        asked = _contrasted(session, clean, corrupt, unit)
        effects = session.ask(
            patch_everywhere(asked, clean.prompt, (arguments.parts,), unit), progress
        )
    _write(effects, arguments)


def _contrasted(session: Session, clean: Request, corrupt: Request, unit: Unit) -> Request:
    """The corrupted prompt, explained towards the clean one's answer rather than its own.

    A target that was named stays; what is no metric is of the target alone.
    """
    if clean.target is not None or clean.target_id is not None:
        return corrupt
    answer, own = (session.ask(ask_answer(one)).target.id for one in (clean, corrupt))
    return contrast(corrupt, answer, own if unit is Unit.METRIC else answer)


def _request(arguments: Namespace) -> tuple[Request, Unit]:
    """The request that a command line says, and what changes are of."""
    is_unit = arguments.metric in _UNITS
    if is_unit and (arguments.versus is not None or arguments.versus_id is not None):
        raise RequestError(
            f"{arguments.metric} is not compared with another token; leave --versus out, or give "
            "another --metric"
        )
    metric = MetricChoice.CHOICE.value if is_unit else arguments.metric
    request = request_from_arguments(Namespace(**{**vars(arguments), "metric": metric}))
    return request, Unit(arguments.metric) if is_unit else Unit.METRIC


def _write(effects: Effects, arguments: Namespace) -> None:
    """The summary, the document, or both."""
    from visit.formats.effects import json_from_effects
    from visit.formats.effects_summary import text_from_effects

    write_answer(
        arguments,
        lambda: text_from_effects(effects, arguments.count),
        lambda created: json_from_effects(effects, created),
    )
