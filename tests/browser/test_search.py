"""The search box: its grammar as a table of queries, and its use as a researcher would."""

import json

import pytest
from sample import make_flow
from screen import CY, wait_until

from visit.engine.questions import RankParts
from visit.graph.flow import NodeKind
from visit.graph.index import Index
from visit.graph.request import Request
from visit.session import Session
from visit.text import visible
from visit.web.screen.glossary import GLOSSARY
from visit.web.screen.search import searchable

pytestmark = pytest.mark.browser

FLOW = make_flow(Request("The capital of Japan is the city of"), opened=(1, 2), mixtures=(2,))
INDEX = Index(FLOW)
HOSTILE = "<img src=x onerror=alert(1)>"
FIND = """([table, queries, notes]) => {
    const { parse, find, prepare } = window.visit.search;
    const ready = prepare(table);
    const found = (query) => find(ready, parse(query, ready).terms, notes);
    return queries.map((query) => found(query).map((row) => table.id[row]));
}"""
NOTES = {
    "L1.head2@7": {"name": "Capital mover", "group": "movers"},
    "L2.mlp@7": {"text": "writes Tokyo", "group": "end of it"},
}
FOUND = "#found [role=option]"


def says(*texts):
    """Whether a node says each of some texts among its first words, with its leading space."""

    def held(node):
        words = [token.text.lower() for token in node.reading.top[:5]]
        return all(any(text in word for word in words) for text in texts)

    return held


def kind(*kinds):
    return lambda node: str(node.id.kind) in kinds


def every(*tests):
    return lambda node: all(test(node) for test in tests)


def direct(node):
    return INDEX.direct_logit(node.id)


MEMORY = kind("memory_key", "memory_value")
NEURON = kind("memory_key", "memory_value", "attn_neuron")
HEAD = kind("head")

QUERIES = {
    # words of a reading
    "tokyo": says("tokyo"),
    "TOKYO": says("tokyo"),
    "·Tokyo": says(" tokyo"),
    '" Tokyo"': says(" tokyo"),
    "“Tokyo”": says("tokyo"),
    '"tok': says("tok"),
    "·tok kyo": says(" tok", "kyo"),
    "tokyo japan": says("tokyo", "japan"),
    "'s": says("'s"),
    "Zanzibar": lambda node: False,
    # kinds
    "head": HEAD,
    "Heads": HEAD,
    "memory": MEMORY,
    "memories": MEMORY,
    "memory key": kind("memory_key"),
    "memory keys": kind("memory_key"),
    "key": kind("key", "memory_key"),
    "experts": kind("expert", "shared_expert"),
    "shared expert": kind("shared_expert"),
    "experts_rest": kind("experts_rest"),
    "expert 3": every(kind("expert"), lambda node: node.id.index == 3),
    "L2.expert3": lambda node: str(node.id) == "L2.expert3@7",
    "expert7@7": lambda node: str(node.id) == "L2.expert7@7",
    "query key": kind("query", "key", "memory_key"),
    "queries": kind("query"),
    "value": kind("value", "memory_value"),
    "attn": kind("attn"),
    "attention": kind("attn"),
    "attention neurons": kind("attn_neuron"),
    "neuron": NEURON,
    "MLP neuron": MEMORY,
    "hidden states": kind("resid_mid", "resid_post"),
    "HS": kind("resid_mid", "resid_post"),
    "attention head": HEAD,
    "OV": kind("value"),
    "QK circuit": kind("query", "key"),
    "residual after the block": kind("resid_post"),
    "attention bias": kind("attn_bias"),
    "biases": kind("attn_bias", "mlp_bias"),
    "MLPs": kind("mlp"),
    "residual": kind("resid_mid", "resid_post"),
    "rests": lambda node: "rest" in str(node.id.kind),
    "heads_rest": kind("heads_rest"),
    "norm": kind("ln1", "ln2", "final_norm"),
    "final norm": kind("final_norm"),
    "embedding": kind("embed"),
    "output": kind("output"),
    # comparisons
    "L>1": lambda node: (node.id.layer or 0) > 1,
    "l = 1": lambda node: node.id.layer == 1,
    "layer<=1": lambda node: node.id.layer is not None and node.id.layer <= 1,
    "L≥1": lambda node: node.id.layer is not None and node.id.layer >= 1,
    "layer:2": lambda node: node.id.layer == 2,
    "L!=1": lambda node: node.id.layer not in (None, 1),
    "L1": lambda node: node.id.layer == 1,
    "layer 1": lambda node: node.id.layer == 1,
    "@7": lambda node: node.id.position == 7,
    "pos=3": lambda node: node.id.position == 3,
    "position < 2": lambda node: node.id.position < 2,
    "@Japan": lambda node: node.id.position == 3,
    "@·japan": lambda node: node.id.position == 3,
    "head=2": lambda node: node.id.head == 2,
    "head 2": every(HEAD, lambda node: node.id.head == 2),
    "memory 7": every(MEMORY, lambda node: node.id.index == 7),
    "neuron=7": every(NEURON, lambda node: node.id.index == 7),
    "memory key 7": every(kind("memory_key"), lambda node: node.id.index == 7),
    "rank=1": lambda node: node.reading.target.rank == 1,
    "rank<1,000": lambda node: node.reading.target.rank < 1000,
    "logit>0.1": lambda node: (direct(node) or 0) > 0.1,
    "logit<-.01": lambda node: (direct(node) or 0) < -0.01,
    "logit<−0.01": lambda node: (direct(node) or 0) < -0.01,
    "carried>2%": lambda node: INDEX.carries[node.id] > 0.02,
    "carried>0.02": lambda node: INDEX.carries[node.id] > 0.02,
    "norm>40": lambda node: node.reading.norm > 40,
    # ids
    "L1.head2@7": lambda node: str(node.id) == "L1.head2@7",
    "l1.HEAD2": lambda node: str(node.id).startswith("L1.head2"),
    "L1.mem": lambda node: str(node.id).startswith("L1.memory") or "L1.memories" in str(node.id),
    "L1.memory7": lambda node: str(node.id).startswith("L1.memory7."),
    "L1.memory7.": lambda node: str(node.id).startswith("L1.memory7."),
    "head2": lambda node: node.id.head == 2,
    "head2@7": lambda node: str(node.id).endswith(".head2@7"),
    "memory14.key": lambda node: ".memory14.key" in str(node.id),
    "output@7": kind("output"),
    "mlp@7": every(kind("mlp"), lambda node: node.id.position == 7),
    "L1@7": lambda node: node.id.layer == 1 and node.id.position == 7,
    # what a reader noted
    "#movers": lambda node: str(node.id) == "L1.head2@7",
    '#"end of"': lambda node: str(node.id) == "L2.mlp@7",
    "#capital": lambda node: str(node.id) == "L1.head2@7",
    '"capital mover"': lambda node: str(node.id) == "L1.head2@7",
    # together, every term must hold
    'head L>1 "Tokyo"': every(HEAD, lambda node: node.id.layer > 1, says("tokyo")),
    "  memory   @7 L=1 rank<2000 ": every(
        MEMORY, lambda node: node.id.layer == 1 and node.reading.target.rank < 2000
    ),
    "#movers memory": lambda node: False,
    "": lambda node: False,
}  # fmt: skip

UNREAD = {
    "L>": ["“L>” lacks a number"],
    "L > x": ["“L > x” is not read: “x” is no number"],
    "rank<1,00": ["“rank<1,00” is not read: “1,00” is no number"],
    "foo=3": ["“foo=3” is not read: compare L, pos, head, index, rank, logit, carried or norm, "
              "or put it in quotes"],
    "#": ["“#” lacks the name of a group"],
    "@": ["“@” lacks a position"],
    "head@x": ["“head@x” lacks a position after “@”"],
    '"foo=3"': [],
    "<|endoftext|>": [],
    "http://x": [],
    "head L>1": [],
    '"': [],
}  # fmt: skip


@pytest.fixture
def page(open_app):
    return ready(open_app("fake"))


@pytest.fixture
def filled(open_app):
    """A page that may be given another table to search: the next test must not have it."""
    return ready(open_app("fake", shared=False))


def ready(screen):
    screen.wait_for_graph()
    wait_until(lambda: screen.page.locator("#search").count(), "the search box")
    wait_until(lambda: screen.page.locator(".chip").count(), "what stands around the graph")
    return screen


def search(screen, text):
    """Type a query; what is found under it, by its titles."""
    screen.page.locator("#search").fill(text)
    return screen.page.locator(FOUND)


def note(screen):
    return screen.page.locator("#found-note").inner_text()


def marked(screen):
    return screen.ask(f"{CY}.nodes('.found').map(node => node.id())")


def test_every_query_finds_the_nodes_it_describes(page):
    table = searchable(INDEX)
    found = page.ask(FIND, [table, list(QUERIES), {}])
    noted = page.ask(FIND, [table, list(QUERIES), NOTES])
    wrong = {}
    for (query, holds), plain, with_notes in zip(QUERIES.items(), found, noted, strict=True):
        wanted = {str(node.id) for node in FLOW.nodes if holds(node)}
        is_of_notes = query.startswith(("#", '"capital'))
        got = set(with_notes if is_of_notes else plain)
        if got != wanted or len(plain) != len(set(plain)):
            wrong[query] = sorted(got ^ wanted)[:5]
    assert wrong == {}
    empty = [q for q, ids in zip(QUERIES, noted, strict=True) if not ids]
    assert empty == ["Zanzibar", "#movers memory", ""]  # every other query is put to the test


def test_a_remark_is_found_by_its_words_beside_the_readings(page):
    plain, noted = (page.ask(FIND, [searchable(INDEX), ["writes"], n])[0] for n in ({}, NOTES))
    assert plain == []
    assert noted == ["L2.mlp@7"]


def test_every_kind_of_node_can_be_asked_for_by_its_own_name(page):
    ask = """([table, names]) => {
        const ready = window.visit.search.prepare(table);
        return names.map(name => window.visit.search.parse(name, ready).terms);
    }"""
    asked = [searchable(INDEX), [str(k) for k in NodeKind]]
    for kind_, terms in zip(NodeKind, page.ask(ask, asked), strict=True):
        assert [term["is"] for term in terms] == ["kind"], kind_
        assert str(kind_) in terms[0]["kinds"]


def test_what_cannot_be_read_is_said_in_words(page):
    ask = """([table, queries]) => {
        const ready = window.visit.search.prepare(table);
        return queries.map(query => window.visit.search.parse(query, ready).unread);
    }"""
    assert (
        dict(zip(UNREAD, page.ask(ask, [searchable(INDEX), list(UNREAD)]), strict=True)) == UNREAD
    )


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("DLA", "direct logit"), ("logit lens", "lens"), ("proximity", "proximity"),
        ("ALTI", "proximity"), ("OV circuit", "value"), ("hidden state", "residual"),
        ("MLP neurons", "memory"),
    ],
)  # fmt: skip
def test_a_word_is_found_by_the_fields_name_for_it_and_explained_in_the_help(page, query, word):
    """Before, search knew nothing but nodes: `DLA` found a token that says so, or nothing."""
    found = search(page, query).and_(page.page.locator("[data-word]"))
    assert found.get_attribute("data-word") == word
    assert GLOSSARY[word].says in found.inner_text()
    found.click()
    entry = page.page.locator(f"#help-dialog [data-word='{word}']")
    wait_until(lambda: page.ask("document.activeElement.dataset.word") == word, "the word's entry")
    assert entry.is_visible()
    page.page.keyboard.press("Escape")


def test_enter_goes_to_the_best_node_where_a_word_has_a_meaning_too(page):
    options = search(page, "residual")
    assert options.first.get_attribute("data-word") == "residual"
    assert options.nth(1).get_attribute("aria-selected") == "true"
    page.page.keyboard.press("Enter")
    wait_until(lambda: "Residual" in page.page.locator("#inspector h2").inner_text(), "a residual")


def test_the_word_itself_comes_before_those_that_begin_with_it_or_hold_it(page):
    def place(node, text):
        words = [token.text.strip().lower() for token in node.reading.top[:5]]
        sizes = [word.find(text) + (word != text) for word in words if text in word]
        firsts = [n for n, word in enumerate(words) if text in word]
        return min(zip((min(size, 2) for size in sizes), firsts, strict=True))

    nodes = {str(node.id): node for node in FLOW.nodes}
    (found,) = page.ask(FIND, [searchable(INDEX), ["a"], {}])
    places = [place(nodes[node], "a") for node in found]
    assert places == sorted(places)
    assert {size for size, _ in places} == {0, 1, 2}


def test_what_writes_most_comes_first_then_what_carries_most(page):
    nodes = {str(node.id): node.id for node in FLOW.nodes}
    values, residuals = page.ask(FIND, [searchable(INDEX), ["memory value", "residual"], {}])
    logits = [abs(INDEX.direct_logit(nodes[node])) for node in values]
    carried = [INDEX.carries[nodes[node]] for node in residuals]
    assert logits == pytest.approx(sorted(logits, reverse=True), rel=1e-3)
    assert carried == pytest.approx(sorted(carried, reverse=True), rel=1e-3)


def test_a_node_is_typed_for_chosen_by_arrows_and_gone_to_with_what_hides_it(page):
    page.page.keyboard.press("/")
    box = page.page.locator("#search")
    assert box.get_attribute("aria-expanded") == "true"
    page.page.keyboard.type("head 2 L1")
    options = page.page.locator(FOUND)
    assert options.count() == 1
    assert "Head 2" in options.inner_text()
    assert "layer 1 · ·of" in options.text_content()
    assert note(page) == "1 found, 1 drawn"
    page.page.keyboard.press("Enter")
    assert "Head 2" in page.inspected("L1.head2@7")
    page.wait_for("L1.head2@7")
    assert box.get_attribute("aria-expanded") == "false"
    wait_until(lambda: marked(page) == ["L1.head2@7"], "the found node to be marked")
    page.page.keyboard.press("ArrowDown")  # opens the list again
    assert note(page) == "1 found, 1 drawn"

    box.fill("memory value L=1")  # which the graph holds
    first, second = (options.nth(n).get_attribute("data-row") for n in (0, 1))
    page.page.keyboard.press("ArrowDown")
    assert box.get_attribute("aria-activedescendant") == options.nth(1).get_attribute("id")
    page.page.keyboard.press("ArrowUp")
    page.page.keyboard.press("ArrowUp")
    active = page.page.locator(f"{FOUND}[aria-selected=true]")
    assert active.count() == 1
    assert active.get_attribute("data-row") == first != second
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("Enter")
    chosen = searchable(INDEX)["id"][int(second)]
    assert "Memory value" in page.inspected(chosen)
    page.wait_for(chosen)


def test_what_is_found_is_marked_in_the_graph_until_the_search_is_cleared(page):
    search(page, "residual L=2")
    drawn = len(marked(page))
    found = sum(str(n.id.kind).startswith("resid") and n.id.layer == 2 for n in FLOW.nodes)
    assert 0 < drawn < found  # a thread has a junction only where something happens
    assert note(page) == f"{found} found, {drawn} drawn"
    page.page.keyboard.press("Escape")  # leaves the box, and the list closes
    assert not page.page.locator("#found-panel").is_visible()
    assert page.ask("document.activeElement === document.body")
    assert len(marked(page)) == drawn
    page.page.get_by_role("button", name="Clear the search").click()
    assert page.page.locator("#search").input_value() == ""
    assert marked(page) == []


def test_the_box_proposes_a_query_that_finds_something_here(page):
    query = page.page.locator("#search").get_attribute("placeholder").removeprefix("Search  ")
    assert query.startswith("head L>=")
    search(page, query)
    assert page.page.locator(FOUND).count() > 0


def test_a_click_goes_to_a_node_and_one_beside_the_box_closes_the_list(page):
    search(page, "L2.mlp@7").click()
    page.inspected("L2.mlp@7")
    search(page, "attn").first.wait_for()
    page.page.locator("h1").click()
    wait_until(lambda: not page.page.locator("#found-panel").is_visible(), "the list to close")
    page.page.get_by_role("button", name="Clear the search").click()
    assert page.page.locator("#search").input_value() == ""
    assert marked(page) == []


def test_a_node_of_a_block_that_was_fetched_can_be_found(page):
    assert search(page, "head L0 @5").count() == 0
    assert "Nothing found" in note(page)
    page.tap("L0.attn@5")
    page.wait_for("L0.head0@5")
    options = search(page, "head L0 @5")
    wait_until(lambda: options.count() == 3, "the fetched heads to be found")
    assert note(page) == "3 found, 3 drawn"


def test_a_part_of_a_block_that_was_never_opened_is_found_and_drawn(open_app):
    screen = open_app("mini", shared=False)
    screen.wait_for_graph()
    session = Session.load("mini")
    request = Request("The capital of Japan is the city of", layers="none")
    held = {node.id for node in session.explain(request).nodes}
    parts = [part for part in session.ask(RankParts(request)).parts if part.id not in held]
    memory = max(
        (part for part in parts if part.id.kind is NodeKind.MEMORY_VALUE),
        key=lambda part: abs(part.direct),
    )
    search(screen, str(memory.id))
    wait_until(lambda: screen.page.locator(FOUND).count() == 1, f"{memory.id} to be found")
    option = screen.page.locator(FOUND)
    words = option.locator(".found-words .token").all_inner_texts()
    assert words == [visible(token.text) for token in memory.outcome.promotes[:5]]
    assert option.locator(".rank").inner_text() == "promoted"
    screen.page.keyboard.press("Enter")
    screen.wait_for(str(memory.id))
    assert "logit" in screen.inspected(str(memory.id))


def test_a_kind_that_the_legend_hides_comes_back_when_one_is_gone_to(page):
    page.page.get_by_role("button", name="MLP, memory").click()
    hidden = f"{CY}.getElementById('L2.mlp@7').hasClass('hushed')"
    wait_until(lambda: page.ask(hidden), "MLPs to be hidden")
    options = search(page, "L2.mlp@7")
    assert note(page) == "1 found, 0 drawn"
    options.click()
    page.inspected("L2.mlp@7")
    assert not page.ask(hidden)


def test_a_name_given_to_a_node_is_found_and_shown(page):
    page.ask("window.visit.note('L1.head2@7', { name: 'Tokyo mover', group: 'movers' })")
    wait_until(lambda: page.ask("window.visit.noteOf('L1.head2@7').group"), "the note")
    options = search(page, "#movers")
    assert options.count() == 1
    assert "Tokyo mover" in options.inner_text()
    assert "#movers" in options.inner_text()
    assert search(page, "mover").locator("mark").first.inner_text() == "mover"


def test_what_is_not_read_or_not_found_is_told_under_the_box(page):
    search(page, "L>x head")
    assert "“x” is no number" in note(page)
    assert "found" in note(page)
    search(page, "Zanzibar")
    assert "Nothing found" in note(page)
    assert page.page.get_by_text("an id, or how it begins").is_visible()


def test_the_list_is_clipped_by_nothing_and_lies_above_the_graph(page):
    page.page.set_viewport_size({"width": 1024, "height": 640})
    assert search(page, "L>0").count() == 40
    assert page.ask(
        """() => {
        const box = document.getElementById("found-panel").getBoundingClientRect();
        const { left, top, right, bottom } = box;
        const corners = [[left, top], [right, top], [left, bottom], [right, bottom]];
        const inside = (at, low, high) => Math.max(low + 16, Math.min(at, high - 16));
        const hits = corners.map(([x, y]) =>
            document.elementFromPoint(inside(x, left, right), inside(y, top, bottom)));
        const seen = box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
        return seen && hits.every((hit) => hit && hit.closest("#found-panel"));
    }"""
    )


def test_hostile_tokens_are_shown_and_found_as_text(filled):
    said = searchable(INDEX)
    table = json.loads(json.dumps(said, ensure_ascii=False).replace("·Tokyo", HOSTILE))
    columns = {"id", "kind", "layer", "position", "head", "index", "top"}
    columns |= {"rank", "norm", "carried", "logit", "way"}
    table |= {name: 4 * table[name] for name in columns}  # the page takes a larger table alone
    filled.ask("table => window.visit.setSearchable(table)", table)
    options = search(filled, f'"{HOSTILE}"')
    assert options.count() > 0
    assert options.first.locator("mark").first.inner_text() == HOSTILE
    assert filled.page.locator("#found img").count() == 0
    assert search(filled, '"onerror" <img').count() > 0


def test_five_thousand_nodes_are_searched_at_every_key(filled):
    table = searchable(Index(make_flow(n_layers=29, n_heads=8)))
    assert len(table["id"]) >= 5_000
    filled.ask("table => window.visit.setSearchable(table)", table)
    times = filled.ask(
        """() => {
        const box = document.getElementById("search");
        const times = [];
        for (const query of ['head L>5 "Tokyo"', "memory value logit>0.01 jap", "of"]) {
            for (let n = 1; n <= query.length; n++) {
                box.value = query.slice(0, n);
                const start = performance.now();
                box.dispatchEvent(new Event("input", { bubbles: true }));
                document.getElementById("found").getBoundingClientRect();
                times.push(performance.now() - start);
            }
        }
        return times.sort((a, b) => a - b);
    }"""
    )
    median = times[len(times) // 2]
    print(f"median {median:.1f} ms, worst {times[-1]:.1f} ms")
    assert median < 100  # a frame or two where the machine is quiet; a wait if it grows tenfold
