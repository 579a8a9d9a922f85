"""The page that works without a server: what is in it, what may run, what can be taken back."""

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from sample import make_flow

from visit.errors import Cancelled, DocumentError
from visit.formats.document import flow_from_html, json_from_flow, read_flow
from visit.formats.export import export
from visit.formats.registry import Maker, formats_made_by
from visit.graph.flow import NodeId, Note
from visit.graph.index import Index
from visit.graph.request import Request
from visit.graph.selection import can_open
from visit.web.exports import bundled, prepared
from visit.web.exports.bundled import policy_from_scripts
from visit.web.exports.offline import estimate_bytes, html_from_flow
from visit.web.exports.prepared import (
    MOST_NODES,
    draw_ahead,
    list_openings,
    list_searchable,
    render_panels,
)
from visit.web.flow import elements
from visit.web.inspector import DOCUMENT_TABS
from visit.web.look import Look

HOSTILE = "<img src=x onerror=alert(1)> </script><!--<script> \\u003c \u202ekcab ]]>"
ATTENTION, HEAD, MLP = map(NodeId.parse, ("L1.attn@7", "L1.head0@7", "L1.mlp@7"))


class Page(HTMLParser):
    """A page as a parser that is not ours reads it: every element, and the scripts' texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.is_in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.is_in_script = True
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag):
        self.is_in_script = self.is_in_script and tag != "script"

    def handle_data(self, data):
        if self.is_in_script:
            attributes, said = self.scripts[-1]
            self.scripts[-1] = attributes, said + data

    def held(self, name: str) -> str:
        return next(said for attributes, said in self.scripts if attributes.get("id") == name)

    def unpacked(self, name: str) -> str:
        return gzip.decompress(base64.b64decode(self.held(name))).decode()

    @property
    def policy(self) -> str:
        metas = (attributes for tag, attributes in self.elements if tag == "meta")
        return next(m["content"] for m in metas if m.get("http-equiv"))


PLAIN = make_flow(n_layers=2, opened=(1,))
NOTED = replace(
    make_flow(Request(f"{HOSTILE} b c"), n_layers=2, opened=()),
    notes=(Note(NodeId.parse("output@6"), "copier", f"{HOSTILE} \u2028", "readers", True),),
)


@pytest.fixture(scope="module")
def plain() -> str:
    return html_from_flow(PLAIN)


@pytest.fixture(scope="module")
def noted() -> str:
    return html_from_flow(NOTED)


def test_the_graph_comes_back_from_the_page_as_it_went_in(plain, noted):
    assert flow_from_html(plain) == PLAIN
    assert flow_from_html(noted) == NOTED


def test_a_page_that_was_written_is_read_as_a_document(tmp_path):
    export(NOTED, html_from_flow, tmp_path / "g.html")
    assert read_flow(tmp_path / "g.html") == NOTED


def test_the_page_holds_the_document_as_its_json_is_written(noted):
    assert Page(noted).unpacked("document") == json_from_flow(NOTED)


def test_the_same_graph_makes_the_same_page(noted):
    assert html_from_flow(NOTED) == noted


def test_only_the_page_s_own_scripts_may_run_and_nothing_may_be_fetched(noted):
    page = Page(noted)
    rules = dict(rule.split(" ", 1) for rule in page.policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules and "unsafe" not in rules["script-src"]
    run = [said for attributes, said in page.scripts if "type" not in attributes]
    library = [page.unpacked(f"library-{n}") for n in range(len(bundled.read_libraries()))]
    hashes = {
        f"'sha256-{base64.b64encode(hashlib.sha256(said.encode()).digest()).decode()}'"
        for said in [*run, *library]
    }
    assert set(rules["script-src"].split()) == hashes


def test_the_page_refers_to_nothing_outside_itself(plain):
    page = Page(plain)
    for _, attributes in page.elements:
        assert "src" not in attributes
        assert (attributes.get("href") or "data:").startswith("data:")
    assert re.findall(r"url\([^)]*\)", bundled.read_style()) == [f'url("{bundled.read_icon()}")']


def test_a_hostile_token_adds_no_element_to_the_page(plain, noted):
    tags = [{tag for tag, _ in Page(page).elements} for page in (plain, noted)]
    assert tags[0] == tags[1]


def test_no_script_can_end_its_element_early():
    for script in bundled.read_scripts():
        assert not re.search("</script|<!--", script, re.IGNORECASE)


def test_pictures_are_what_the_app_draws_with_each_block_opened_alone():
    index = Index(PLAIN)
    made, nodes = draw_ahead(index, (ATTENTION, MLP))
    held = {frozenset(picture["opened"]): picture for picture in made["pictures"]}
    for opened in ((), (ATTENTION,), (HEAD,), (MLP,), (ATTENTION, MLP)):
        parts = [json.loads(made["parts"][n]) for n in held[frozenset(map(str, opened))]["parts"]]
        assert parts == elements.draw(index, opened)[1]
    assert len(held) == len(made["pictures"])
    assert len(made["parts"]) < sum(len(picture["parts"]) for picture in held.values()) / 2
    drawn = {part["id"] for part in (json.loads(p)["data"] for p in made["parts"])}
    assert {str(node.id) for node in nodes} == drawn & set(map(str, index.nodes))


def test_a_page_has_no_more_drawings_than_its_bound_and_those_of_the_strongest(monkeypatch):
    monkeypatch.setattr(prepared, "MOST_PICTURES", 4)
    index = Index(PLAIN)
    closed, chosen, *single = list_openings(index, (MLP,))
    assert (closed, chosen) == ((), (MLP,)) and len(single) == 2
    alone = [opened[-1] for opened in single]
    weakest = min(index.carries[node_id] for node_id in alone)
    others = [n for n in index.nodes if can_open(index, n) and n not in (MLP, *alone)]
    assert all(index.carries[node_id] <= weakest for node_id in others)


def test_every_node_has_every_tab_of_its_panel():
    made = render_panels(Index(PLAIN), PLAIN.nodes)
    assert made.keys() == {"head", "noted", *DOCUMENT_TABS}
    for kind, lines in made.items():
        names = [line.split("\t")[0] for line in lines.split("\n")]
        assert set(names) - {""} == {str(node.id) for node in PLAIN.nodes[: MOST_NODES[kind]]}
        assert ("" in names) == (kind == "head")


def test_only_what_has_a_panel_is_found(noted):
    nodes = PLAIN.nodes[3:8]
    table = list_searchable(Index(PLAIN), nodes)
    assert table["id"] == [str(node.id) for node in nodes]
    assert table["rank"] == [node.reading.target.rank for node in nodes]
    assert table["tokens"] == list(PLAIN.shown)


def test_progress_is_told_from_0_to_1_and_cancelling_stops_the_work(plain):
    told = []
    assert html_from_flow(PLAIN, tell=lambda stage, part: told.append((stage, part))) == plain
    parts = [part for _, part in told]
    assert parts == sorted(parts) and parts[0] == 0 and parts[-1] < 1
    assert list(dict(told)) == ["document", "drawings", "panels", "page"]

    def cancel(stage: str, part: float) -> None:
        raise Cancelled("no longer wanted")

    with pytest.raises(Cancelled):
        html_from_flow(PLAIN, tell=cancel)


def test_the_size_is_said_before(plain):
    assert estimate_bytes(PLAIN) == pytest.approx(len(plain.encode()), rel=0.5)


def test_the_page_begins_in_the_look_it_was_made_in(noted):
    look = Look("dark", "visit", "rank", "norm", frozenset({"mlp"}))
    said = json.loads(Page(html_from_flow(PLAIN, (MLP,), look)).unpacked("page-data"))
    assert said["view"]["opened"] == [str(MLP)] and said["view"]["fixed"]
    assert said["look"] == {
        "theme": "dark", "palette": "visit", "colouring": "rank", "width": "norm",
        "hidden": ["mlp"], "chosenBy": "flow",
    }  # fmt: skip
    assert json.loads(Page(noted).unpacked("page-data"))["look"]["theme"] is None


def test_the_menu_offers_only_what_works_without_a_server(plain):
    said = Page(plain).unpacked("page-data")
    assert re.findall(r'"data-export":"([\w.]+)"', said) == ["json", "svg", "png"]


def test_the_pages_scripts_make_the_formats_that_the_registry_says_they_make():
    script = (bundled.find_assets_folder() / "offline" / "offline.js").read_text(encoding="utf-8")
    exports = re.search(r"const EXPORTS = {(.*?)};", script, re.DOTALL)[1]
    assert re.findall(r"(\w+): \(\) =>", exports) == list(
        formats_made_by(Maker.OFFLINE_PAGE | Maker.BROWSER)
    )


def test_a_policy_names_each_script_by_its_hash():
    policies = [policy_from_scripts([script]) for script in ("1", "2")]
    assert "script-src 'sha256-" in policies[0] and policies[0] != policies[1]


def test_a_page_that_holds_no_document_is_told_in_one_line():
    for page in ("<!DOCTYPE html><p>hello", '<script id="document">{"a": "<"}</script>'):
        with pytest.raises(DocumentError, match="the page holds no flow document"):
            flow_from_html(page)
    with pytest.raises(DocumentError, match="not JSON"):
        flow_from_html('<script type="application/json" id="document">{</script>')


def test_a_page_saved_again_by_a_browser_still_gives_its_document(plain):
    head = '<script type="application/json" id="document">'
    turned = plain.replace(head, "<SCRIPT id=\"document\" type='application/json'>")
    assert flow_from_html(turned) == PLAIN
