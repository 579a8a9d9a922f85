"""The server's side of the app: what it answers, keeps and refuses."""

import asyncio
import json
import socket
import time
from dataclasses import replace

import pytest
from loops import run
from sample import FakeEngine, make_flow
from screens import ids_in
from starlette.testclient import TestClient

from visit.engine.protocol import ModelChoice
from visit.errors import OutputError, RequestError, VisitError
from visit.formats.document import flow_from_json, json_from_flow
from visit.graph.flow import NodeId, Note
from visit.graph.index import Index
from visit.graph.request import RankBy, Request
from visit.graph.selection import can_open
from visit.web import ids, inspector
from visit.web.app import bind, create_app, find_assets_folder
from visit.web.asking.prompt_form import abilities, chosen_from_request
from visit.web.flow.stylesheet import stylesheets
from visit.web.look import COLOURINGS, WIDTHS
from visit.web.screen import page
from visit.web.screen.graph_panels import build_graph_panels, target_options
from visit.web.server.tracing import position_in, request_from_controls
from visit.web.state.address import Asked, asked_by_address
from visit.web.state.graphs import Graphs
from visit.web.state.shelf import Shelf
from visit.web.state.view import View
from visit.web.theme import PALETTES
from visit.web.trees import trees
from visit.web.words import file_name, percent, signed, tokens_from_typed, typed_from_tokens


def ids_of(component) -> set[str]:
    """The ids of a screen's components and of the trees that fill it from the start."""
    found = {part.id for part in component._traverse() if getattr(part, "id", None)}
    filled = next(p.data for p in component._traverse() if getattr(p, "id", "") == ids.FIXED_PANELS)
    return found | {name for trees in filled.values() for tree in trees for name in ids_in(tree)}


def screen(**how):
    how = {"page": "p", "models": (ModelChoice("mini", "bundled"),), "view": None, **how}
    return page.build_screen(**how)


def find_opened(engine: FakeEngine | None, shelf: Shelf, view: View) -> Index:
    return run(Graphs(engine, shelf).find_opened(view))


def test_health_answers_ok_before_anything_is_traced():
    engine = FakeEngine()
    with TestClient(create_app(engine).server, base_url="http://localhost") as client:
        answer = client.get("/health")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert engine.explained == []


def test_every_answer_bears_a_strict_policy():
    with TestClient(create_app(FakeEngine()).server, base_url="http://localhost") as client:
        policy = client.get("/").headers["content-security-policy"]
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in script and "'sha256-" in script


def test_an_app_needs_an_engine_or_a_graph():
    with pytest.raises(ValueError, match="an engine to ask, or a flow graph to view"):
        create_app(None)


def test_the_screen_has_every_part_that_the_callbacks_use():
    named = {value for name, value in vars(ids).items() if name.isupper()}
    assert named <= ids_of(screen(request=Request("hello")))


def test_the_viewer_has_no_controls_to_trace_with():
    view = View("k", Request("hello"))
    parts = ids_of(screen(request=None, models=(), view=view))
    assert not {ids.PROMPT, ids.TRACE, ids.CANCEL, ids.MODEL, ids.TARGET} & parts
    assert {ids.GRAPH, ids.INSPECTOR, ids.COUNT, ids.EXPORT} <= parts


def test_the_viewer_serves_a_graph_without_an_engine():
    with TestClient(
        create_app(None, flow=make_flow()).server, base_url="http://localhost"
    ) as client:
        assert client.get("/_dash-layout").status_code == 200


def test_a_port_in_use_is_told_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=rf"^port {port} on 127.0.0.1 .*--port$"):
            bind("127.0.0.1", port)


def test_a_port_that_does_not_exist_is_told_in_one_line():
    with pytest.raises(OutputError, match=r"^port 70000 on 127.0.0.1"):
        bind("127.0.0.1", 70_000)


def test_the_assets_are_there():
    assert {"app.css", "app.js", "graph.js", "icon.svg"} <= {
        path.name for path in find_assets_folder().iterdir()
    }


def test_a_view_survives_the_browser():
    head = NodeId.parse("L1.head0@0")
    view = View(
        "key", Request("hi", target=" you"), (NodeId.parse("L1.attn@0"),), (Note(head, "x"),), True,
        "0a1b",
    )  # fmt: skip
    assert View.parse(json.loads(json.dumps(view.data()))) == view


def test_a_document_s_graph_is_neither_added_to_nor_made_again():
    engine, shelf = FakeEngine(), Shelf()
    key = shelf.put(make_flow(opened=()))
    opened = (NodeId.parse("L1.attn@7"),)
    assert find_opened(engine, shelf, View(key, Request("hi"), opened, fixed=True))
    with pytest.raises(VisitError, match="open the document again"):
        find_opened(engine, shelf, View("gone", Request("hi"), fixed=True))
    assert engine.opened == [] and engine.explained == []


def test_a_graph_made_again_from_a_view_that_went_through_the_browser_can_be_kept():
    view = View("k", Request("hi", rank_by=RankBy.SHARE))
    back = View.parse(json.loads(json.dumps(view.data())))
    assert back == view
    assert isinstance(back.request.rank_by, RankBy)
    flow = replace(make_flow(), request=back.request)
    assert flow_from_json(json_from_flow(flow)).request == view.request


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"key": "k", "request": {"prompt": "a"}, "opened": ["nonsense"]},
        {"key": "k", "request": None, "opened": []},
        {"key": "k", "request": {}, "opened": []},
    ],
)
def test_a_view_that_is_none_is_refused(data):
    with pytest.raises(ValueError, match=r"view|node id"):
        View.parse(data)


def test_a_graph_that_fell_off_the_shelf_is_made_again():
    engine, shelf = FakeEngine(), Shelf(max_bytes=1)
    view = View(shelf.put(make_flow()), Request("The capital of Japan"))
    shelf.put(make_flow())
    assert shelf.get(view.key) is None
    assert find_opened(engine, shelf, view).flow.request.prompt == "The capital of Japan"
    assert engine.explained == [view.request]


def test_a_viewer_s_lost_graph_is_told_in_words():
    with pytest.raises(VisitError, match="no longer held"):
        find_opened(None, Shelf(), View("gone", Request("hi")))


def test_only_a_block_that_the_document_lacks_is_fetched_and_only_once():
    engine, shelf = FakeEngine(), Shelf()
    key = shelf.put(make_flow(opened=(1,)))
    opened = tuple(map(NodeId.parse, ("L1.attn@7", "L2.mlp@3", "L2.attn@3", "L2.head0@3")))
    for _ in range(2):
        index = find_opened(engine, shelf, View(key, Request("hi"), opened))
        assert set(opened) <= index.nodes.keys()
    assert engine.opened == [(2, 3)]


def test_callbacks_that_wait_for_one_block_fetch_it_once():
    class SlowEngine(FakeEngine):
        def open(self, request, layer, position):
            time.sleep(0.2)
            return super().open(request, layer, position)

    engine, shelf = SlowEngine(), Shelf()
    view = View(shelf.put(make_flow(opened=())), Request("hi"), (NodeId.parse("L1.mlp@7"),))
    graphs = Graphs(engine, shelf)

    async def wait() -> None:
        await asyncio.gather(*(graphs.find_opened(view) for _ in range(4)))

    run(wait())
    assert engine.opened == [(1, 7)]


def test_what_stands_around_a_graph_can_be_clicked_only_where_an_engine_answers():
    index = Index(make_flow())
    around = build_graph_panels(index, clickable=True)["panels"]
    assert len(around[ids.TARGET_CHOICES]) == 11 and len(around[ids.SANKEY_LAYER]) == 3
    viewed = build_graph_panels(index, clickable=False)["panels"]
    assert ids.TARGET_CHOICES not in viewed
    assert "disabled" in viewed[ids.PREDICTIONS][0]["attributes"]


def test_keys_cannot_be_guessed_and_differ():
    shelf = Shelf()
    keys = {shelf.put(make_flow()) for _ in range(3)}
    assert len(keys) == 3 and min(map(len, keys)) >= 24


def test_a_graph_that_falls_off_the_shelf_at_once_is_still_shown_with_every_open_block():
    """As when many pages share a shelf: whatever is put there pushes this view's graph off."""

    class Pushing(FakeEngine):
        def open(self, request, layer, position):
            shelf.put(make_flow(opened=()), "k")  # made anew meanwhile, with nothing open
            shelf.put(make_flow())
            return super().open(request, layer, position)

    class Narrow(Shelf):
        def get(self, key):
            index = super().get(key)
            self.put(make_flow(), "another page's")
            return index

    shelf = Narrow(max_bytes=1)
    opened = tuple(map(NodeId.parse, ("L2.mlp@3", "L1.mlp@7", "L2.attn@3")))
    view = View("k", Request("The capital of Japan"), opened)
    pushing = Pushing(lambda request: make_flow(request, opened=()))
    index = find_opened(pushing, shelf, view)
    assert all(can_open(index, node_id) for node_id in opened)


def test_the_ten_predictions_are_offered_as_targets():
    offered = [option.value for option in target_options(make_flow())]
    assert len(offered) == 11
    assert offered[-1] == f"{offered[0]} vs {offered[1]}"


@pytest.mark.parametrize(
    ("typed", "tokens"),
    [(None, (None, None)), ("", (None, None)), ("auto", (None, None)),
     ("·Tokyo", ("·Tokyo", None)), (" Tokyo", (" Tokyo", None)), ("Tokyo", ("Tokyo", None)),
     (r"\n", ("\n", None)), ("↵", ("↵", None)), (r"\#5", (5, None)), (r"\#5 vs \#0", (5, 0)),
     (" Tokyo vs  Kyoto", (" Tokyo", " Kyoto")), ("A vs B", ("A", "B")), ("A  vs B", ("A ", "B")),
     ("auto vs  Kyoto", (None, " Kyoto")), (" vs", (" vs", None)), (" vs ", (" vs ", None)),
     (r"\x20vs vs vs", (" vs", "vs")), (r"a\x20vs\x20b", ("a vs b", None)),
     (r"\x61uto", ("auto", None)), (r"\x61uto vs b", ("auto", "b"))],
)  # fmt: skip
def test_a_typed_target_is_exactly_what_it_says(typed, tokens):
    assert tokens_from_typed(typed) == tokens
    assert tokens_from_typed(typed_from_tokens(*tokens)) == tokens


def test_the_controls_make_a_request():
    default = Request("x", top_k=7)
    chosen = {"prompt": "a b", "model": "mini", "position": 0}
    request = request_from_controls(default, "a b", " mini ", " x vs  y", chosen)
    assert request == Request("a b", model="mini", target=" x", versus=" y", position=0, top_k=7)
    by_id = request_from_controls(Request("x"), "a b", "mini", r"\#5 vs b", None)
    assert by_id == Request("a b", model="mini", target_id=5, versus="b")


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("·", "·"),
        (" ", " "),
        (" vs ", " vs "),
        ("\\x41", r"\\x41"),
        ("auto", r"\x61uto"),
        ("", r"\#1"),
    ],
)
def test_a_prediction_that_was_clicked_is_traced_by_its_id(text, typed):
    """The field then says what would be typed for it."""
    flow = make_flow(words=(" Tokyo", text, *map(str, range(20))))
    clicked = trees(inspector.predictions(flow))[1]["attributes"]
    assert clicked["data-target-id"] == "1" and clicked["data-target"] == typed
    chosen = {"typed": clicked["data-target"], "model": "mini", "target_id": 1}
    asked = request_from_controls(Request("x"), "a b", "mini", chosen["typed"], None, None, chosen)
    assert asked == Request("a b", model="mini", target_id=1)


def test_a_chosen_token_is_used_only_while_the_field_says_its_text_and_of_its_model():
    chosen = {"typed": "  vs  b", "model": "mini", "target_id": 5, "versus_id": 9}

    def asked(typed: str, model: str = "mini") -> Request:
        return request_from_controls(Request("x"), "a", model, typed, None, None, chosen)

    assert asked("  vs  b") == Request("a", model="mini", target_id=5, versus_id=9)
    assert asked(" ") == Request("a", model="mini", target=" ")
    assert asked("·") == Request("a", model="mini", target="·")
    assert asked("  vs  b", "other") == Request("a", model="other", target=" ", versus=" b")


def test_a_target_that_was_chosen_is_not_lost_with_a_comparison_that_was_typed():
    request = Request("a", target_id=5, versus=" b")
    chosen = chosen_from_request(request, "mini")
    assert chosen is not None
    again = request_from_controls(request, "a", "mini", chosen["typed"], None, None, chosen)
    assert (again.target_id, again.versus) == (5, " b")
    assert chosen_from_request(Request("a", target=" b"), "mini") is None


def test_options_that_look_alike_can_be_told_apart_and_each_says_its_id():
    flow = make_flow(words=(" ", " ", *map(str, range(20))))
    first, second, *_, comparison = trees(target_options(flow))
    assert first["attributes"]["value"] == " " and first["attributes"]["data-target-id"] == "0"
    assert second["attributes"]["value"] == r"\#1"
    assert second["attributes"]["data-target-id"] == "1"
    assert comparison["attributes"]["data-target-id"] == "0"
    assert comparison["attributes"]["data-versus-id"] == "1"


def test_numbers_are_written_to_be_read():
    assert [percent(p) for p in (1.0, 0.99999, 0.5, 0.0123, 0.00001, 0.0)] == [
        "100 %", "> 99.9 %", "50.0 %", "1.2 %", "< 0.1 %", "0 %",
    ]  # fmt: skip
    assert signed(-0.5) == "−0.50"


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("The capital of Japan is", "visit-the-capital-of-japan-is"),
        ("../../etc/passwd", "visit-etc-passwd"),
        ("日本", "visit-flow"),
    ],
)
def test_a_file_is_named_after_the_prompt(prompt, name):
    assert file_name(prompt) == name


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("mini", "mini"),
        (".cache/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct-q4-1"),
        ("HuggingFaceTB/SmolLM2-135M", "smollm2-135m"),
        ("/models/../../etc/passwd", "passwd"),
        ("C:\\models\\x.gguf", "x"),
        ("<script>" * 20, "script-script-script-script-scri"),
    ],
)
def test_a_file_is_named_after_the_model_without_its_path(model, name):
    assert file_name("The", model) == f"visit-the-{name}"
    assert file_name("The", model, "layer 3") == f"visit-the-{name}-layer-3"


def test_every_theme_and_palette_has_the_same_rules():
    sheets = stylesheets()
    selectors = [
        [rule["selector"] for rule in sheet["rules"]]
        + [
            r["selector"]
            for part in ("colourings", "widths")
            for s in sheet[part].values()
            for r in s
        ]
        for palettes in sheets.values()
        for sheet in palettes.values()
    ]
    assert len(selectors) == 2 * len(PALETTES)
    assert all(other == selectors[0] for other in selectors)


def test_every_look_that_is_offered_has_its_rules():
    sheet = stylesheets()["dark"]["visit"]
    assert sheet["colourings"].keys() == COLOURINGS.keys()
    assert sheet["widths"].keys() == WIDTHS.keys()


def test_a_problem_with_the_request_is_a_visit_error():
    with pytest.raises(RequestError, match="not one token"):
        FakeEngine().explain(Request("hi", target="no such token"))


DEFAULT = Request("Paris is", model="mini")


def test_an_address_without_a_prompt_asks_for_the_default():
    assert asked_by_address(None, DEFAULT) == Asked(DEFAULT)
    assert asked_by_address("?target=x", DEFAULT) == Asked(DEFAULT)


def test_an_address_says_the_request_and_what_is_open_and_picked():
    search = (
        "?prompt=a+b%26c&model=other&target=+you&versus=+me&position=1"
        "&open=L1.attn%401+nonsense&pick=L1.head2%401"
    )
    asked = asked_by_address(search, DEFAULT)
    assert asked.request == Request("a b&c", model="other", target=" you", versus=" me", position=1)
    assert asked.opened == (NodeId.parse("L1.attn@1"),)
    assert asked.picked == NodeId.parse("L1.head2@1")


@pytest.mark.parametrize("position", ["-1", "x", "9" * 30, "²"])
def test_a_position_that_is_no_number_is_the_last_one(position):
    assert asked_by_address(f"?prompt=a&position={position}", DEFAULT).request.position is None


def test_an_address_says_how_the_prompt_is_read():
    read = asked_by_address("?prompt=a&bos=false&chat=true", DEFAULT).request
    assert (read.bos, read.chat) == (False, True)
    asked = Request("[{", bos=True)  # no chat, so no list of messages either
    assert asked_by_address("?prompt=%5B%7B&bos=true&chat=yes", DEFAULT).request == replace(
        asked, model="mini"
    )
    served = Request("Paris is", model="mini", bos=True, chat=True)
    assert asked_by_address("", served).request == served
    assert asked_by_address("?prompt=a", served).request == Request("a", model="mini")
    with pytest.raises(RequestError, match="message 0 of the chat has no 'role'"):
        asked_by_address("?prompt=%5B%7B%7D%5D&chat=true", DEFAULT)


def test_a_question_of_the_controls_takes_nothing_of_the_default_s_but_how_much_is_drawn():
    served = Request("Paris is", prompt_ids=(1, 2), target_id=3, versus_id=4, heads=5)
    asked = request_from_controls(served, "a b", "mini", "", None)
    assert asked == Request("a b", model="mini", heads=5)


def test_the_controls_say_how_the_prompt_is_read():
    served = Request("Paris is", bos=True, chat=True)
    for form in ({"bos": False, "chat": True}, {"bos": True, "chat": False}):
        request = request_from_controls(served, "a b", "mini", "", None, form)
        assert {"bos": request.bos, "chat": request.chat} == form
    for odd in (None, {}, {"bos": "yes", "chat": 1}):
        request = request_from_controls(served, "a b", "mini", "", None, odd)
        assert (request.bos, request.chat) == (None, False)


def test_a_menu_knows_of_a_model_what_its_engine_does():
    models = (ModelChoice("mini", "loaded", chat=False, bos=True), ModelChoice("lab/a", "9M"))
    assert abilities(models, "mini") == {"model": "mini", "chat": False, "bos": True}
    assert abilities(models, "lab/a") == {"model": "lab/a", "chat": None, "bos": None}
    assert abilities(models, "gone") == {"model": "gone", "chat": None, "bos": None}


def test_a_view_of_a_chat_survives_the_browser():
    view = View("key", Request("hi", bos=False, chat=True))
    assert View.parse(json.loads(json.dumps(view.data()))) == view


def test_a_position_holds_only_for_the_prompt_and_the_model_it_was_chosen_in():
    chosen = {"prompt": "a b", "model": "mini", "position": 0}
    assert position_in("a b", "mini", chosen) == 0
    assert position_in("a c", "mini", chosen) is None and position_in("a b", "mini", None) is None
    assert position_in("a b", "other", chosen) is None
    default = Request("x")
    changed = request_from_controls(default, "a b", "other", "", chosen)
    assert changed == Request("a b", model="other")


def test_a_prompt_that_was_given_by_ids_is_not_cut_into_tokens_again():
    """A target or a position is clicked in its graph, whose prompt the fields still name."""
    shown = {"prompt": "Paris is", "model": "mini", "prompt_ids": [7, 9]}

    def asked(prompt: str, model: str = "mini", form: dict[str, bool] | None = None) -> Request:
        position = {"prompt": prompt, "model": model, "position": 1}
        return request_from_controls(Request("x"), prompt, model, "", position, form, shown=shown)

    by_ids = Request("Paris is", prompt_ids=(7, 9), model="mini", position=1)
    assert asked("Paris is") == by_ids
    assert asked("Paris is", form={"bos": True, "chat": False}) == by_ids
    assert asked("Paris was").prompt_ids is None
    assert asked("Paris is", "other").prompt_ids is None
