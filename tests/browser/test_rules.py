"""On the canvas as in ``visit.graph``: what the slider hides, and the path that is marked."""

from itertools import pairwise

import pytest
from sample import make_flow
from screen import CY, wait_until

from visit.graph.flow import NodeId, Request
from visit.graph.flows import list_counts, unexplained
from visit.graph.index import Index
from visit.graph.parts import Choice, rank_parts
from visit.graph.paths import Paths

pytestmark = pytest.mark.browser

INDEX = Index(
    make_flow(Request("The capital of Japan is the city of"), opened=(1, 2), mixtures=(2,))
)


@pytest.fixture
def screen(open_app):
    shown = open_app("fake")
    shown.wait_for_graph()
    wait_until(lambda: shown.page.locator(".chip").count(), "what stands around the graph")
    shown.rest()
    return shown


def test_the_slider_hides_the_weaker_parts_and_says_what_is_unexplained_then(screen):
    places = rank_parts(INDEX)
    counts = list_counts(len(places))
    said = unexplained(INDEX, Choice(), counts)
    most = "Number(document.getElementById('count').max)"
    wait_until(lambda: screen.ask(most) == len(counts) - 1, "what the slider offers")
    for step in (0, 3, 8):
        drawn, shown, told = screen.ask(
            f"""() => {{
                window.visit.moveCount({step});
                const parts = {CY}.nodes('[place]');
                const said = document.getElementById('unexplained').textContent;
                const shown = parts.filter(n => n.style('display') !== 'none'); // visible() may lag
                return [parts, shown].map(all => all.map(n => n.id()))
                    .concat([said]);
            }}"""
        )
        weaker = {name for name in drawn if places[NodeId.parse(name)] > counts[step]}
        assert set(drawn) - set(shown) == weaker
        assert float(told.removesuffix(" %")) == pytest.approx(100 * said[step], abs=0.6)


def test_a_picked_part_stays_when_fewer_are_asked_for(screen):
    drawn = screen.ask(f"{CY}.nodes('[place]').map(n => [n.data('place'), n.id()])")
    weakest = max(drawn)[1]
    screen.ask(f"window.visit.pick('{weakest}')")
    screen.ask("window.visit.setCount(1)")
    left = f"{CY}.nodes('[place]').map(n => n.id())"
    wait_until(lambda: len(screen.ask(left)) == 2, "the strongest part and the picked one")
    assert weakest in screen.ask(left)
    assert screen.ask("window.visit.state.kept") == weakest


@pytest.mark.parametrize("opened", [[], ["L1.attn@7", "L1.head1@7"]])
@pytest.mark.parametrize("picked", ["L2.mlp@7", "L1.attn@7", "L0.resid_post@2", "embed@0"])
def test_the_way_that_is_marked_is_the_one_the_path_tab_lists(screen, opened, picked):
    for node in opened:
        screen.ask(f"window.visit.open(['{node}'])")
        wait_until(lambda n=node: screen.ask(f"{CY}.getElementById('{n}').data('open')"), node)
    screen.ask(f"window.visit.show('{picked}')")
    wait_until(lambda: screen.ask(f"{CY}.nodes('.picked').map(n => n.id())") == [picked], picked)
    drawn = set(screen.ask(f"{CY}.nodes('[family]').map(node => node.id())"))
    clear = set(screen.ask(f"{CY}.elements().not('.faded').map(part => part.id())"))
    path = [str(step.node) for step in Paths(INDEX).through(NodeId.parse(picked))]
    path = [node for node in path if node in drawn]
    assert len(path) > 2 and set(path) <= clear
    ends = screen.ask(f"{CY}.edges().not('.faded').map(e => [e.data('source'), e.data('target')])")
    marked = {tuple(pair) for pair in ends}
    direct = {
        tuple(p) for p in screen.ask(f"{CY}.edges().map(e => [e.data('source'), e.data('target')])")
    }
    assert {pair for pair in pairwise(path) if pair in direct} <= marked


def test_a_way_into_an_opened_attention_is_marked_through_the_parts_that_lead_there(screen):
    """The path goes from a residual to the attention; what is drawn between them is its inside."""
    for node in ("L1.attn@7", "L1.head1@7"):
        screen.ask(f"window.visit.open(['{node}'])")
        wait_until(lambda n=node: screen.ask(f"{CY}.getElementById('{n}').data('open')"), node)
    path = [str(step.node) for step in Paths(INDEX).through(NodeId.parse("L0.resid_post@5"))]
    assert ("L0.resid_post@5", "L1.attn@7") in pairwise(path)
    screen.ask("window.visit.pick('L0.resid_post@5')")
    wait_until(lambda: screen.ask(f"{CY}.nodes('.picked').length") == 1, "the residual")
    faded = {
        node: screen.ask(f"{CY}.getElementById('{node}').hasClass('faded')")
        for node in ("L1.head1.value@5", "L1.head1@7", "L1.head1.value@3", "L1.attn_bias@7")
    }
    assert list(faded.values()) == [False, False, True, True]
