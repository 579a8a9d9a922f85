"""The options that say a request, and the request that they say.

An option's name is that of the request's field, so that no list of them is needed to read them.
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Iterable, Mapping
from typing import Any

from visit.cli.options import Parser, check_unicode
from visit.cli.prompt_input import prompt_from_arguments
from visit.errors import RequestError
from visit.graph.fields import value_from_text
from visit.graph.request import Request, TokenId, request_from_data, texts_from_request
from visit.graph.settings import SETTINGS, Setting, Topic
from visit.graph.typed import token_from_typed


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
    _add_setting(command, SETTINGS["top_k"])


def add_prompt_ids(command: Parser) -> None:
    """The tokens of a prompt that is not to be tokenized."""
    command.add_argument(
        "--prompt-ids",
        metavar="ID,ID,...",
        type=ids_from_text,
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
        type=names_from_text,
        help="explain the pass without these parts (L5.head3@7, L5.mlp@*, L5.head3@7<2), or with "
        "them changed: 'L5.head3@7 scale:0.5', 'L5.head3@7<2 knockout'",
    )


def add_drawing(command: Parser) -> None:
    """How much is drawn."""
    _add_topic(command, Topic.DRAWING)


def add_metric(command: Parser, without: Iterable[str] = ()) -> None:
    """What the target is explained towards.

    Args:
        command: The command.
        without: Settings that change nothing there.
    """
    _add_topic(command, Topic.METRIC, without=("top_k", *without))


def _add_topic(command: Parser, topic: Topic, without: Container[str] = ()) -> None:
    group = command.add_argument_group(topic)
    for name, setting in SETTINGS.items():
        if setting.topic is topic and name not in without:
            _add_setting(group, setting)


def names_from_text(text: str) -> tuple[str, ...]:
    """Names with commas between them, without the spaces around them and without empty ones."""
    return tuple(one.strip() for one in text.split(",") if one.strip())


def ids_from_text(text: str) -> tuple[int, ...]:
    """Ids between commas."""
    try:
        ids: tuple[int, ...] = value_from_text("ids", tuple[TokenId, ...], text)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return ids


# Any: argparse's group and parser share a base class that it does not name.
def _add_setting(command: Any, setting: Setting) -> None:
    option = f"--{setting.name.replace('_', '-')}"
    if setting.takes is bool:
        said = f"{setting.says} (default: {setting.unset})"
        command.add_argument(option, action=argparse.BooleanOptionalAction, help=said)
        return
    typed: dict[str, Any] = {"metavar": setting.letter, "type": setting.takes}
    command.add_argument(
        option,
        default=setting.default,
        help=f"{setting.says} (default: %(default)s)",
        **({"choices": setting.choices} if setting.choices else typed),
    )
