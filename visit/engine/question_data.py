"""Questions as JSON, and back: what a queue, another process or an HTTP call carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from visit.engine import exploring as exploring  # whose questions are known by being defined
from visit.engine import generating as generating  # likewise
from visit.engine import surveys as surveys  # likewise
from visit.engine.questions import Question
from visit.errors import RequestError
from visit.graph.fields import hints_of, plain_from_value, value_from_given
from visit.graph.request import Request, data_from_request, request_from_data


def kinds_of_question() -> dict[str, type[Question[Any]]]:
    """Every question that is defined, by its name; one that is made of another among them.

    What only others are made of is none (``only_a_base``).

    Raises:
        ValueError: two have the same name, so that JSON could not tell them apart.
    """
    found: dict[str, type[Question[Any]]] = {}
    waiting = list(Question.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if vars(kind).get("only_a_base"):
            continue
        if found.setdefault(kind.__name__, kind) is not kind:
            modules = " and ".join(sorted({kind.__module__, found[kind.__name__].__module__}))
            raise ValueError(f"two questions are named {kind.__name__}, in {modules}; rename one")
    return found


def data_from_question(question: Question[Any]) -> dict[str, Any]:
    """A question as JSON has it, with its name under ``question``.

    What is as by default is absent.
    """
    plain = {
        one.name: plain_from_value(value)
        for one in fields(question)
        if one.name != "request" and (value := getattr(question, one.name)) != one.default
    }
    request = data_from_request(question.request)
    return {"question": type(question).__name__, "request": request, **plain}


def question_from_data(data: object) -> Question[Any]:
    """Read a question back; the inverse of ``data_from_question``.

    Fields that this version does not know are passed over.

    Raises:
        RequestError: there is no such question, a field of it is missing or of another type, or no
            model could serve its request.
    """
    if not isinstance(data, Mapping):
        raise RequestError(f"a question is an object with its fields, not {type(data).__name__}")
    name, kinds = data.get("question"), kinds_of_question()
    if not isinstance(name, str) or name not in kinds:
        known = ", ".join(sorted(kinds))
        raise RequestError(f"question {name!r} is not known; ask one of {known}")
    kind: type = kinds[name]
    for one in fields(kind):
        if one.name not in data and one.default is MISSING:
            raise RequestError(f"the question {name} lacks its {one.name}; give it")
    hints = {one.name: hints_of(kind)[one.name] for one in fields(kind) if one.name in data}
    try:
        question: Question[Any] = kind(**{n: _read(n, hint, data[n]) for n, hint in hints.items()})
    except RequestError as error:
        raise RequestError(f"the question {name} cannot be read: {error}") from None
    return question


def _read(name: str, hint: Any, given: object) -> Any:
    return request_from_data(given) if hint is Request else value_from_given(name, hint, given)
