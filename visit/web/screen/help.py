"""The help: the keys and the words, in one dialog that ``assets/help.js`` opens.

The words are on the page only here; ``assets/terms.js`` reads them for the card that a word shows
when it is pointed at.
"""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from visit.web.parts import aria, data
from visit.web.screen.glossary import by_topic
from visit.web.screen.meanings.word import Word

KEYS: tuple[tuple[str, str], ...] = (
    ("← or →", "follows the strongest edge, back or forward"),
    ("↑ or ↓", "moves up or down the column"),
    ("Enter", "opens the picked node, or closes it"),
    ("Esc", "closes a menu, else leaves the field that is typed into, else unpicks the node"),
    ("Tab", "reaches maps and the Sankey: the arrow keys move in them, Enter picks"),
    ("1 to 6", "the inspector's tabs"),
    ("w", "collects the picked part for What if; Shift + click does in a list"),
    ("p", "pins the picked node, or unpins it"),
    ("f", "fits the whole graph into view"),
    ("/", "searches the graph"),
    ("Ctrl + Z", "undoes"),
    ("Ctrl + Shift + Z", "redoes"),
    ("?", "shows or hides this help"),
)
"""What each key does, wherever nothing is being typed."""
TRACE_KEY = ("Ctrl + Enter", "traces")
_BETWEEN_KEYS = frozenset({"+", "or", "to"})


def dialog(*, with_engine: bool) -> Component:
    """The help.

    Args:
        with_engine: Whether a model is there to ask, by the key that traces.
    """
    keys = (TRACE_KEY, *KEYS) if with_engine else KEYS
    return html.Dialog(
        [
            html.Div(
                [
                    html.H2("Keys and words", id="help-title"),
                    html.Button("Take the tour", className="quiet", **data(tour="start")),
                    html.Button(
                        "×", className="quiet icon", **data(help="close"), **aria(label="Close")
                    ),
                ],
                className="help-head",
            ),
            html.Div(
                [
                    html.Section(
                        [html.H3("Keys"), html.Dl([_key(*key) for key in keys], className="keys")],
                        tabIndex=0,
                        **aria(label="Keys"),
                    ),
                    html.Section(
                        [
                            part
                            for topic, words in by_topic().items()
                            for part in (
                                html.H3(topic),
                                html.Dl([_word(word) for word in words], className="glossary"),
                            )
                        ],
                        className="help-words",
                        tabIndex=0,
                        **aria(label="Words"),
                    ),
                ],
                className="help-body",
            ),
        ],
        id="help-dialog",
        className="help",
        **aria(labelledby="help-title"),
    )


def _key(keys: str, does: str) -> Component:
    said = [f" {key} " if key in _BETWEEN_KEYS else html.Kbd(key) for key in keys.split(" ")]
    return html.Div([html.Dt(said), html.Dd(does)])


def _word(word: Word) -> Component:
    formula = [html.Code(word.formula)] if word.formula else []
    also = [html.P(f"Also called {', '.join(word.also)}.", className="also")] if word.also else []
    return html.Div(
        [html.Dt(word.name), html.Dd([html.P(word.says), *formula, *also])], **data(word=word.name)
    )
