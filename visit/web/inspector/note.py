"""What a reader put beside a node: shown under its name, and written at the panel's end."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import NodeId, Note
from visit.text import one_line
from visit.web.parts import aria, data, field


def shown(note: Note | None) -> list[Component]:
    """The note as it is read, under the node's name."""
    if note is None or not (note.text or note.group):
        return []
    said: list[Component] = []
    if note.group:
        said.append(html.Span(one_line(note.group), className="group-name"))
    if note.text:
        said.append(html.Span(note.text, className="note-text"))
    return [html.P(said, className="node-note")]


def editor(node_id: NodeId, note: Note | None = None) -> Component:
    """The fields of a node's note; ``assets/panels.js`` keeps what is typed.

    Each field says by ``data-note`` what it holds: ``name``, ``group``, ``text`` or ``pinned``.
    """
    held = note or Note(node_id)
    return html.Details(
        [
            html.Summary("Note"),
            html.Div(
                [
                    _field("Name", "name", held.name, "instead of its top word"),
                    _field("Group", "group", held.group, "with others of one kind"),
                    html.Label(
                        [
                            html.Span("Note"),
                            html.Textarea(
                                held.text or "",
                                rows="3",
                                spellCheck="false",
                                **data(note="text", focus="note-text"),
                            ),
                        ],
                        className="note-field is-long",
                    ),
                    html.Button(
                        "Pinned" if held.pinned else "Pin",
                        className="pin",
                        title="Keep it at hand in the list of the whole trace",
                        **data(note="pinned", focus="note-pinned"),
                        **aria(pressed="true" if held.pinned else "false"),
                    ),
                ],
                className="note-fields",
            ),
        ],
        className="note-editor",
        open=note is not None,
        **data(noted=str(node_id)),
    )


def _field(label: str, name: str, value: str | None, example: str) -> Component:
    return html.Label(
        [
            html.Span(label),
            field(
                type="text",
                value=value or "",
                placeholder=example,
                autocomplete="off",
                **data(note=name, focus=f"note-{name}"),
            ),
        ],
        className="note-field",
    )
