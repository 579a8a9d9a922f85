"""What stands at the head of documents: what was asked of which model, and what is explained.

Pairs of converters, one of each document's plain data. Each kind of document adds its own fields.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol, TypedDict, runtime_checkable

from visit.errors import DocumentError, RequestError
from visit.formats.fields import drop_absent, keep_known, read_number
from visit.graph.flow import (
    MetricInfo,
    MetricKind,
    ModelInfo,
    NodeId,
    Target,
    Token,
    TokenProbability,
)
from visit.graph.interventions import Site
from visit.graph.request import Request, data_from_request, request_from_data


@runtime_checkable
class IsAsked(Protocol):
    """An answer that holds what was asked, and of which model."""

    @property
    def request(self) -> Request:
        """What was asked."""

    @property
    def model(self) -> ModelInfo:
        """Who answered."""


@runtime_checkable
class IsExplained(IsAsked, Protocol):
    """An answer that holds the prompt and the prediction that are explained as well."""

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The prompt."""

    @property
    def target(self) -> Target:
        """The token that is explained."""

    @property
    def versus(self) -> Target | None:
        """The other token, if there is one."""

    @property
    def metric(self) -> MetricInfo:
        """What the target is explained towards."""


class Asked(TypedDict):
    """The fields of ``IsAsked``, as a dataclass takes them."""

    request: Request
    model: ModelInfo


class Explained(Asked):
    """The fields of ``IsExplained``, likewise."""

    tokens: tuple[Token, ...]
    target: Target
    versus: Target | None
    metric: MetricInfo


def data_from_asked(asked: IsAsked) -> dict[str, Any]:
    """What was asked of which model, as documents have it."""
    return {
        "request": data_from_request(asked.request),
        "model": drop_absent(**asdict(asked.model)),
    }


def asked_from_data(data: dict[str, Any], where: str = "") -> Asked:
    """Read it back; the inverse of ``data_from_asked``.

    Args:
        data: The record whose fields they are.
        where: Its place in the document, with a full stop behind it; the document itself if empty.

    Raises:
        DocumentError: no model could serve the request; the text says where it stands.
    """
    try:
        request = request_from_data(data["request"])
    except RequestError as error:
        raise DocumentError(f"{where}request: {error}") from None
    return Asked(request=request, model=ModelInfo(**keep_known(ModelInfo, data["model"])))


def data_from_explained(explained: IsExplained) -> dict[str, Any]:
    """That, and what is explained: prompt, target and metric."""
    versus = explained.versus
    return drop_absent(
        **data_from_asked(explained),
        tokens=data_from_prompt(explained.tokens),
        target=asdict(explained.target),
        versus=None if versus is None else asdict(versus),
        metric=data_from_metric(explained.metric),
    )


def explained_from_data(data: dict[str, Any], where: str = "") -> Explained:
    """Read it back; the inverse of ``data_from_explained``.

    Raises:
        DocumentError: as ``asked_from_data`` has it.
    """
    return Explained(
        **asked_from_data(data, where),
        tokens=prompt_from_data(data["tokens"]),
        target=target_from_data(data["target"]),
        versus=target_from_data(data["versus"]) if "versus" in data else None,
        metric=metric_from_data(data["metric"]),
    )


def data_from_prompt(tokens: tuple[Token, ...]) -> list[dict[str, Any]]:
    """The tokens of a prompt, as documents have them."""
    return [drop_absent(**{**asdict(token), "special": token.special or None}) for token in tokens]


def prompt_from_data(records: list[dict[str, Any]]) -> tuple[Token, ...]:
    """Read a prompt's tokens back."""
    return tuple(Token(**keep_known(Token, one)) for one in records)


def target_from_data(data: dict[str, Any]) -> Target:
    """Read a token that is explained back."""
    return Target(**keep_known(Target, data))


def data_from_metric(metric: MetricInfo) -> dict[str, Any]:
    """The metric, as documents have it."""
    return drop_absent(
        kind=metric.kind.value,
        value=metric.value,
        candidates=data_from_tokens(metric.candidates) if metric.candidates else None,
        absolute_flow=metric.absolute_flow,
    )


def metric_from_data(data: dict[str, Any]) -> MetricInfo:
    """Read the metric back; the inverse of ``data_from_metric``."""
    return MetricInfo(
        kind=MetricKind(data["kind"]),
        value=float(data["value"]),
        candidates=tokens_from_data(data.get("candidates", [])),
        absolute_flow=read_number(data, "absolute_flow"),
    )


def data_from_tokens(tokens: tuple[TokenProbability, ...]) -> list[dict[str, Any]]:
    """A reading's tokens, at one end."""
    # Written out because dataclasses.asdict would take most of the time of a whole document.
    return [{"id": token.id, "text": token.text, "prob": token.prob} for token in tokens]


def tokens_from_data(records: list[dict[str, Any]]) -> tuple[TokenProbability, ...]:
    """Read a reading's tokens back."""
    return tuple(TokenProbability(int(t["id"]), t["text"], float(t["prob"])) for t in records)


def node_from_text(text: str, where: str) -> NodeId:
    """Read a node's id.

    Raises:
        DocumentError: it is none; the text says where it stands.
    """
    try:
        return NodeId.parse(text)
    except ValueError as error:
        raise DocumentError(f"{where}: {error}") from None


def site_from_text(text: str, where: str) -> Site:
    """Read a site.

    Raises:
        DocumentError: it is none; the text says where it stands.
    """
    try:
        return Site.parse(text)
    except RequestError as error:
        raise DocumentError(f"{where}: {error}") from None
