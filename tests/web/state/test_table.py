"""The table of a page's state: what the page carries, and that nobody else lists its pieces."""

import json
import re
from dataclasses import fields
from pathlib import Path

from visit.graph.request import Request
from visit.web import ids
from visit.web.screen import page
from visit.web.state.table import STORES, TABLE, Piece, data_from_table

SHARED = Path(__file__).parents[2] / "js" / "state_table.json"


def test_the_scripts_are_tested_with_the_pages_own_table():
    """Where a piece was added or changed, write ``data_from_table()`` to the file again."""
    assert json.loads(SHARED.read_text(encoding="utf-8")) == json.loads(
        json.dumps(data_from_table())
    )


def test_the_page_carries_the_table_as_data_that_ends_no_element(monkeypatch):
    harmful = Piece("x", default="</script><!--")
    monkeypatch.setattr(page, "data_from_table", lambda: data_from_table((*TABLE, harmful)))
    carried = re.search(
        r'<script type="application/json" id="state-table">(.*?)</script>',
        page.build_page_template(),
    )
    assert carried is not None and "<" not in carried[1]
    assert json.loads(carried[1]) == json.loads(json.dumps(data_from_table((*TABLE, harmful))))


def test_names_and_address_keys_are_each_used_once():
    names = [piece.name for piece in TABLE]
    keys = [piece.key for piece in TABLE if piece.key is not None]
    assert len({*names}) == len(names) and len({*keys}) == len(keys)
    of_the_request = {"open", *(one.name for one in fields(Request))}
    assert not of_the_request & {*keys}


def test_links_of_earlier_versions_keep_their_words():
    keys = {piece.name: piece.key for piece in TABLE if piece.key is not None}
    assert keys == {
        ids.PICKED: "pick",
        ids.TAB: "tab",
        ids.PANE: "pane",
        "overview": "over",
        "rankedBy": "rank",
        "colouring": "colour",
        "width": "width",
        ids.PARTS: "parts",
        ids.KEPT: "keep",
        ids.UNFOLDED: "unfold",
        "hidden": "hide",
        "viewport": "at",
        "collected": "off",
        ids.HOW: "how",
        ids.SECOND: "second",
        ids.PREDICTED: "by",
        ids.CHOSEN_BY: "drawn",
        ids.EXPLORED_BY: "with",
        ids.CONTINUED: "on",
    }


def test_a_piece_that_the_server_reads_is_named_in_ids():
    assert {*STORES} <= {value for name, value in vars(ids).items() if name.isupper()}
