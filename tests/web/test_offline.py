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

from visit.document import flow_from_html, json_from_flow, read_flow
from visit.flow import NodeId, Note, Request
from visit.web import carried, elements
from visit.web.index import Index
from visit.web.inspector import Tab
from visit.web.offline import html_from_flow, policy, write_html
from visit.web.pictures import panels, pictures
from visit.web.stylesheet import Look

HOSTILE = "<img src=x onerror=alert(1)> </script><!--<script> \\u003c \u202ekcab ]]>"
ATTENTION, HEAD, MLP = map(NodeId.parse, ("L1.attn@7", "L1.head0@7", "L2.mlp@7"))


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


def noted_flow():
    note = Note(HEAD, "copier", f"{HOSTILE} \u2028", "readers", True)
    return replace(make_flow(Request(f"{HOSTILE} b c d e f g h")), notes=(note,))


@pytest.mark.parametrize("flow", [make_flow(), noted_flow()], ids=["plain", "hostile"])
def test_the_graph_comes_back_from_the_page_as_it_went_in(flow, tmp_path):
    assert flow_from_html(html_from_flow(flow)) == flow
    write_html(flow, tmp_path / "g.html")
    assert read_flow(tmp_path / "g.html") == flow


def test_the_page_holds_the_document_as_its_json_is_written():
    flow = noted_flow()
    held = Page(html_from_flow(flow)).held("document")
    assert "<" not in held
    assert json.loads(held) == json.loads(json_from_flow(flow))


def test_the_same_graph_makes_the_same_page():
    assert html_from_flow(make_flow()) == html_from_flow(make_flow())


def test_only_the_page_s_own_scripts_may_run_and_nothing_may_be_fetched():
    page = Page(html_from_flow(noted_flow()))
    rules = dict(rule.split(" ", 1) for rule in page.policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules and "unsafe" not in rules["script-src"]
    run = [said for attributes, said in page.scripts if "type" not in attributes]
    library = [page.unpacked(f"library-{n}") for n in range(len(carried.libraries()))]
    hashes = {
        f"'sha256-{base64.b64encode(hashlib.sha256(said.encode()).digest()).decode()}'"
        for said in [*run, *library]
    }
    assert set(rules["script-src"].split()) == hashes


def test_the_page_refers_to_nothing_outside_itself():
    page = Page(html_from_flow(make_flow()))
    for _, attributes in page.elements:
        assert "src" not in attributes
        assert (attributes.get("href") or "data:").startswith("data:")
    assert re.findall(r"url\([^)]*\)", carried.style()) == [f'url("{carried.icon()}")']


def test_a_hostile_token_adds_no_element_to_the_page():
    tags = [sorted({tag for tag, _ in Page(html_from_flow(f)).elements}) for f in
            (make_flow(), noted_flow())]  # fmt: skip
    assert tags[0] == tags[1]


def test_no_script_can_end_its_element_early():
    for script in carried.scripts():
        assert not re.search("</script|<!--", script, re.IGNORECASE)


def test_pictures_are_what_the_app_draws_with_each_block_opened_alone():
    index = Index(make_flow())
    made = pictures(index, (ATTENTION, MLP))
    held = {frozenset(picture["opened"]): picture for picture in made["pictures"]}
    for opened in ((), (ATTENTION,), (ATTENTION, HEAD), (MLP,), (ATTENTION, MLP)):
        parts = [json.loads(made["parts"][n]) for n in held[frozenset(map(str, opened))]["parts"]]
        assert parts == elements.draw(index, opened)[1]
    assert len(held) == len(made["pictures"])
    assert len(made["parts"]) < sum(len(picture["parts"]) for picture in held.values()) / 3


def test_every_node_has_every_tab_of_its_panel():
    flow = make_flow()
    made = panels(Index(flow))
    assert made.keys() == {"head", "noted", *Tab}
    for kind, lines in made.items():
        names = [line.split("\t")[0] for line in lines.split("\n")]
        assert set(names) - {""} == {str(node.id) for node in flow.nodes}
        assert ("" in names) == (kind == "head")


def test_the_page_begins_in_the_look_it_was_made_in():
    look = Look("dark", "visit", "rank", "norm", 0.01, frozenset({"mlp"}))
    said = json.loads(Page(html_from_flow(make_flow(), (MLP,), look)).unpacked("page-data"))
    assert said["look"] == {
        "theme": "dark", "palette": "visit", "colouring": "rank", "width": "norm",
        "level": 0.01, "hidden": ["mlp"],
    }  # fmt: skip
    assert said["view"]["opened"] == [str(MLP)] and said["view"]["fixed"]
    assert (
        json.loads(Page(html_from_flow(make_flow())).unpacked("page-data"))["look"]["theme"] is None
    )


def test_the_menu_offers_only_what_works_without_a_server():
    said = json.loads(Page(html_from_flow(make_flow())).unpacked("page-data"))
    offered = re.findall(r'"data-export": "(\w+)"', json.dumps(said["furniture"]))
    assert offered == ["json", "svg", "png"]


def test_a_policy_names_each_script_by_its_hash():
    assert "script-src 'sha256-" in policy(["1"]) and policy(["1"]) != policy(["2"])
