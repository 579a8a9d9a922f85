"""The measuring tools: their figures, and that a load test sees what it is there to see."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from client import Client, Crossed, marker
from clients import Load, load, report
from figures import growth, quantile, table
from page import Callback, Page, PageError, properties
from second import save_second_model
from server import Footprint, served


def tree(tag, *children, **attributes):
    attributes = {name.replace("_", "-"): value for name, value in attributes.items()}
    return {"tag": tag, "attributes": attributes, "children": list(children)}


def panel(node, *words):
    said = [tree("span", word, **{"class": "token"}) for word in words]
    return {"inspector": [tree("code", node, **{"class": "node-id"}), *said]}


def a_client(prompt, *tokens, shown=None):
    """A client that asked for a prompt, and a page that shows tokens."""
    page = Page("http://127.0.0.1:1", {}, [], socket=None)
    chips = [tree("button", token, data_position=str(i)) for i, token in enumerate(tokens)]
    rows = [
        {"data": {"id": f"row{i}", "frame": "row", "label": token}}
        for i, token in enumerate(tokens)
    ]
    page.properties |= {
        ("view", "data"): {
            "key": "k",
            "request": {"prompt": shown or prompt, "model": "mini"},
            "opened": [],
            "weights": "0a1b",
        },
        ("graph-panels", "data"): {"panels": {"tokens": chips}},
        ("graph", "elements"): rows,
    }
    return Client(0, page.url, _page=page, _prompt=prompt, _model="mini")


def test_a_quantile_lies_between_the_values_next_to_it():
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([0, 10], 0.9) == 9
    assert quantile([7], 0.95) == 7
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_growth_compares_the_minute_after_the_warm_up_with_the_last_one():
    samples = [(5 * i, 100.0 if i < 12 else 200.0) for i in range(61)]
    assert growth(samples, 60, 60) == 0
    leaking = [(5 * i, 100.0 + i) for i in range(61)]
    assert growth(leaking, 60, 60) == pytest.approx((100 + 54) / (100 + 18) - 1)
    with pytest.raises(ValueError, match="no sample"):
        growth([(0, 1.0)], 60, 60)


def test_a_table_is_markdown():
    assert table(("a", "bb"), [("ccc", "d")]) == "| a   | bb |\n|-----|----|\n| ccc | d  |"


def test_no_client_s_word_is_in_another_s():
    words = [marker(number) for number in range(200)]
    assert len(set(words)) == 200
    assert {len(word) for word in words} == {7}


def test_a_layout_s_properties_are_found_wherever_they_are():
    layout = {
        "type": "Div",
        "namespace": "dash_html_components",
        "props": {
            "children": [
                {"type": "Store", "namespace": "x", "props": {"id": "view", "data": {"props": 1}}},
                "text",
            ]
        },
    }
    assert dict(properties(layout)) == {("view", "data"): {"props": 1}}


def test_a_callback_is_called_with_what_the_renderer_would_send():
    said = {
        "output": "..view.data@1f...picked.data..",
        "inputs": [{"id": "trace", "property": "n_clicks"}],
        "state": [{"id": "prompt", "property": "value"}, {"id": "target", "property": "value"}],
        "clientside_function": None,
        "no_output": False,
        "websocket": True,
        "prevent_initial_call": False,
    }
    known = {("trace", "n_clicks"): 1, ("prompt", "value"): "hi"}
    assert Callback.parse(said).payload(known, [("trace", "n_clicks")]) == {
        "output": "..view.data@1f...picked.data..",
        "outputs": [
            {"id": "view", "property": "data@1f"},
            {"id": "picked", "property": "data"},
        ],
        "inputs": [{"id": "trace", "property": "n_clicks", "value": 1}],
        "state": [
            {"id": "prompt", "property": "value", "value": "hi"},
            {"id": "target", "property": "value"},
        ],
        "changedPropIds": ["trace.n_clicks"],
        "parsedChangedPropsIds": ["trace.n_clicks"],
    }


def test_a_client_takes_its_own_answer():
    client = a_client("Qab is here", "Q", "ab", "·is", "·here")
    client.check()
    client.page.properties["inspector-panels", "data"] = panel("L1.mlp@1", "ab", "·x")
    client.check_inspected("L1.mlp@1")


def test_a_client_sees_another_s_view_tokens_rows_or_node():
    with pytest.raises(Crossed, match="the view is of 'Qob is here'"):
        a_client("Qab is here", "Qab", "·is", "·here", shown="Qob is here").check()
    with pytest.raises(Crossed, match="the tokens are 'Qob·is·here'"):
        a_client("Qab is here", "Qob", "·is", "·here").check()
    client = a_client("Qab is here", "Qab", "·is", "·here")
    client.page.properties["graph", "elements"][0]["data"]["label"] = "Qob"
    with pytest.raises(Crossed, match="row 0 is of 'Qob'"):
        client.check()
    client.page.properties["inspector-panels", "data"] = panel("L1.mlp@0", "Qob")
    with pytest.raises(Crossed, match="not at this prompt's token 0"):
        client.check_inspected("L1.mlp@0")
    with pytest.raises(Crossed, match=r"not L0\.mlp@0"):
        client.check_inspected("L0.mlp@0")


def test_a_problem_that_the_app_tells_is_an_error():
    client = a_client("Qab", "Qab")
    client.page.properties["problem", "children"] = "no such model"
    with pytest.raises(PageError, match="the app says: no such model"):
        client.check()


def test_the_report_says_what_went_wrong_and_how_often():
    clients = [Client(number, "http://127.0.0.1:1") for number in range(2)]
    for client in clients:
        client.durations["trace"] = [0.1]
        client.errors.append(f"client {client.number}, trace: no answer")
    found = Load(10.0, tuple(clients), ((0.0, Footprint(100.0, 3, 1.0)),))
    said = report(found)
    assert "2 clients, 10 s, 2 actions" in said
    assert "- 2 × trace: no answer" in said
    assert json.dumps(found.errors)
    assert replace(found, samples=()).growth is None


@pytest.mark.parametrize(("model", "weights"), [("other", "0a1b"), ("mini", "2c3d")])
def test_a_client_sees_an_answer_of_another_model(model, weights):
    client = a_client("a b", "a", "·b")
    client.check()
    view = client.page["view", "data"]
    view["request"]["model"], view["weights"] = model, weights
    with pytest.raises(Crossed, match=r"of model 'other'|of other weights"):
        client.check()


def test_clients_of_a_real_server_are_answered_each_with_its_own_by_the_model_it_named(tmp_path):
    models = ("mini", save_second_model(tmp_path))
    # In a thread of its own: a browser test leaves the main one with a loop that runs.
    with served() as server, ThreadPoolExecutor(1) as thread:
        first = thread.submit(asyncio.run, load(server, 3, 0.1, 0, models)).result()
        # The models are loaded, however long that took.
        working = load(server, 3, 12, 0.1, models, n_queued=20, n_flood=100)
        found = thread.submit(asyncio.run, working).result()
    assert (first.errors + found.errors, first.crossings + found.crossings) == ([], [])
    assert first.durations.keys() == {"open"} and found.durations.keys() > {"open", "trace"}
    assert all(not client.unplayed for client in found.clients)
    digests = found.clients[0].digests
    assert digests.keys() <= set(models) and len(set(digests.values())) == len(digests) > 0
    assert found.samples and [len(one.took) > 0 for one in found.busy] == [True, True]
