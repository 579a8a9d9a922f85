"""The options that say a request, and the request that they say.

An option's name is that of the request's field, so that no list of them is needed to read them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any

from visit.cli.options import Parser, check_unicode
from visit.cli.prompt_input import prompt_from_arguments
from visit.errors import RequestError
from visit.graph.fields import value_from_text
from visit.graph.metric import MetricChoice
from visit.graph.request import (
    RankBy,
    Request,
    RouteBy,
    TokenId,
    request_from_data,
    texts_from_request,
)
from visit.graph.typed import token_from_typed

_DEFAULTS = {field.name: field.default for field in fields(Request)}


def request_from_arguments(arguments: argparse.Namespace, prompt: str | None = None) -> Request:
    """The request that a command line says.

    Args:
        arguments: What was parsed.
        prompt: The prompt where the command line names none.

    Raises:
        RequestError: no model could serve it, or a text of it cannot be read or is not UTF-8.
    """
    given = prompt_from_arguments(arguments)
    said = {**vars(arguments), "prompt": prompt if given is None else given}
    for role in ("target", "versus"):
        if said.get(role) is not None:
            said |= _name_token(role, str(said[role]), said)
    said = {name: value for name, value in said.items() if value is not None}
    request = request_from_data(said)
    for name, text in texts_from_request(request).items():
        check_unicode(name, text)
    return request


def _name_token(role: str, typed: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """A token that was typed as a request's fields; an id that has an option of its own decides."""
    token = token_from_typed(typed)
    if isinstance(token, str):
        return {role: token}
    given = said[f"{role}_id"]
    return {role: None, f"{role}_id": token if given is None else given}


def add_tokens(command: Parser) -> None:
    """Which token is explained, where, and against which other."""
    command.add_argument(
        "--target",
        metavar="TOK",
        help=r"the token to explain, exactly as written; \n, \xe6 (a byte), \u00b7 and \#7 (an id) "
        "are read (default: the model's own top token)",
    )
    command.add_argument(
        "--versus",
        metavar="TOK",
        help="another token: the metric is then the target's lead over it",
    )
    command.add_argument(
        "--target-id",
        metavar="ID",
        type=int,
        help="the token to explain by its id, which names any token",
    )
    command.add_argument("--versus-id", metavar="ID", type=int, help="likewise the other token")
    command.add_argument(
        "--position",
        metavar="P",
        type=int,
        help="the position whose next token is explained; -1 is the last (default: the last)",
    )
    _add_count(command, "--top-k", "K", "tokens listed at either end of a reading")


def add_prompt_ids(command: Parser) -> None:
    """The tokens of a prompt that is not to be tokenized."""
    command.add_argument(
        "--prompt-ids",
        metavar="ID,ID,...",
        type=_ids,
        help="the tokens the model reads, by id and as they are; PROMPT is then only shown, or "
        "left out",
    )


def add_reading(command: Parser) -> None:
    """How the prompt is read."""
    command.add_argument(
        "--bos",
        action=argparse.BooleanOptionalAction,
        help="begin with a BOS token, or with none (default: as the tokenizer does)",
    )
    command.add_argument(
        "--chat",
        action="store_true",
        help="read PROMPT through the model's chat template: as one user message, or as a JSON "
        "list of messages",
    )


def add_changes(command: Parser) -> None:
    """What is changed in the pass before it is taken apart."""
    command.add_argument(
        "--without",
        metavar="SITE,SITE,...",
        dest="interventions",
        type=_words,
        help="explain the pass without these parts (L5.head3@7, L5.mlp@*, L5.head3@7<2), or with "
        "them changed: 'L5.head3@7 scale:0.5', 'L5.head3@7<2 knockout'",
    )


def add_drawing(command: Parser) -> None:
    """How much is drawn."""
    drawing = command.add_argument_group("how much is drawn")
    drawing.add_argument(
        "--layers",
        metavar="SPEC",
        default=_DEFAULTS["layers"],
        help="the layers to open: all, none, or like 0-5,11 (default: %(default)s)",
    )
    _add_count(drawing, "--heads", "N", "heads of an opened layer")
    _add_count(drawing, "--sources", "N", "sources of a drawn head")
    _add_count(
        drawing,
        "--memories",
        "N",
        "memories of an opened layer that push along their value, or experts of a mixture",
    )
    _add_count(drawing, "--anti-memories", "N", "memories that push against it")
    _add_count(drawing, "--attn-neurons", "N", "attention neurons that push along their row")
    _add_count(drawing, "--anti-attn-neurons", "N", "attention neurons that push against it")
    drawing.add_argument(
        "--threshold",
        metavar="PART",
        type=float,
        default=_DEFAULTS["threshold"],
        help="the part of the metric's absolute flow, 0 to 1, that must pass along an edge between "
        "positions (default: %(default)s)",
    )
    _add_choice(drawing, "--rank-by", RankBy, "what makes a part strong enough to be drawn")
    _add_choice(
        drawing,
        "--route",
        RouteBy,
        "what the threshold is of: the metric's flow, or each part's share of the traced residual",
    )
    _add_count(
        drawing,
        "--strongest",
        "N",
        "heads and MLPs of all layers and positions that are drawn, the strongest by flow",
    )
    _add_count(
        drawing, "--strongest-memories", "N", "memories of all layers and positions likewise"
    )


def add_metric(command: Parser) -> None:
    """What the target is explained towards."""
    metric = command.add_argument_group("what is explained")
    _add_choice(
        metric,
        "--metric",
        MetricChoice,
        "the target's logit less the candidates' mean (choice), less the mean of all tokens "
        "(centred), or itself (logit); with --versus, less the other token's",
    )
    _add_count(metric, "--candidates", "N", "likeliest next tokens that the target is among")
    metric.add_argument(
        "--outcome",
        action=argparse.BooleanOptionalAction,
        help="say of each part which candidates it lifts and lowers in the end (default: in short "
        "prompts, where it costs little)",
    )


def _words(text: str) -> tuple[str, ...]:
    """Texts between commas."""
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _ids(text: str) -> tuple[int, ...]:
    """Ids between commas."""
    try:
        ids: tuple[int, ...] = value_from_text("ids", tuple[TokenId, ...], text)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return ids


# Any: as below.
def _add_choice(command: Any, option: str, choices: type[StrEnum], what: str) -> None:
    command.add_argument(
        option,
        choices=[choice.value for choice in choices],
        default=str(_DEFAULTS[option.removeprefix("--").replace("-", "_")]),
        help=f"{what} (default: %(default)s)",
    )


# Any: argparse's group and parser share a base class that it does not name.
def _add_count(command: Any, option: str, metavar: str, what: str) -> None:
    name = option.removeprefix("--").replace("-", "_")
    command.add_argument(
        option,
        metavar=metavar,
        type=int,
        default=_DEFAULTS[name],
        help=f"{what} (default: %(default)s)",
    )
