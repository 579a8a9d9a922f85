"""The main job on the bundled model: a prompt in, a document out that adds up by itself."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import networkx
import pytest

from visit.cli.main import main
from visit.formats.document import read_flow
from visit.graph.request import Request
from visit.session import Session

PROMPT = "The capital of Japan is the city of"
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=["float32", "float64"])
def traced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("flow") / "g.json"
    argv = ["trace", PROMPT, "--layers", "all", "--dtype", request.param, "-o", str(path)]
    assert main(argv) == 0
    return request.param, path


@pytest.fixture
def document(traced: Any) -> dict[str, Any]:
    return json.loads(traced[1].read_text(encoding="utf-8"))


def test_the_papers_prompt_leads_to_tokyo(document: dict[str, Any]):
    graph = document["graph"]
    assert graph["target"]["text"] == graph["predictions"][0]["text"] == " Tokyo"
    assert graph["target"]["prob"] > 0.9
    assert "".join(token["text"] for token in graph["tokens"]) == PROMPT
    assert graph["model"]["name"] == "mini"


def test_the_audit_is_within_what_the_dtype_allows(traced: Any, document: dict[str, Any]):
    residual, logit = {"float32": (1e-5, 1e-3), "float64": (1e-10, 1e-9)}[traced[0]]
    audit = document["graph"]["audit"]
    assert audit["residual"] <= residual
    assert audit["logit"] <= logit


def test_every_ledger_adds_up_as_read_from_the_document_alone(document: dict[str, Any]):
    groups, wholes = defaultdict(list), {}
    for edge in document["edges"]:
        if edge["kind"] == "adds":
            groups[edge["target"], edge["ledger"]].append(edge)
        if "direct_logit" in edge and edge.get("ledger") in ("residual", "heads", None):
            wholes[edge["source"]] = edge["direct_logit"]
    ledgers = {ledger for _, ledger in groups}
    assert ledgers == {"residual", "heads", "sources", "neurons", "positions", "memories"}
    for (target, _), edges in groups.items():
        assert sum(edge["share"] for edge in edges) == pytest.approx(1, abs=1e-6)
        if "direct_logit" in edges[0]:
            total = sum(edge["direct_logit"] for edge in edges)
            assert total == pytest.approx(wholes[target], abs=1e-3)


def test_all_that_was_written_adds_up_to_the_metric(document: dict[str, Any]):
    last = len(document["graph"]["tokens"]) - 1
    written = [
        edge["direct_logit"]
        for edge in document["edges"]
        if edge.get("ledger") == "residual"
        and edge["target"].endswith(f"@{last}")
        and re.match(r"embed|L\d+\.(attn|mlp)@", edge["source"])
    ]
    (end,) = [edge for edge in document["edges"] if edge["kind"] == "normalizes"
              and edge["target"] == f"final_norm@{last}"]  # fmt: skip
    (unembeds,) = [edge for edge in document["edges"] if edge["kind"] == "unembeds"]
    assert len(written) == 1 + 2 * document["graph"]["model"]["n_layers"]
    assert sum(written) == pytest.approx(end["direct_logit"], abs=1e-3)
    assert unembeds["direct_logit"] == pytest.approx(document["graph"]["metric"]["value"], abs=1e-3)


def test_networkx_reads_the_document_as_it_is(document: dict[str, Any]):
    graph = networkx.node_link_graph(document, edges="edges")
    assert networkx.is_directed_acyclic_graph(graph)
    output = f"output@{len(document['graph']['tokens']) - 1}"
    assert networkx.ancestors(graph, output) == set(graph) - {output}


def test_reading_gives_back_the_very_graph(traced: Any):
    dtype, path = traced
    flow = Session.load("mini", dtype=dtype).explain(Request(PROMPT, model="mini"))
    read = read_flow(path)
    assert [node.id for node in read.nodes] == [node.id for node in flow.nodes]
    assert read.edges == flow.edges
    assert read.nodes == flow.nodes


def test_the_same_question_gives_the_same_bytes(tmp_path: Path):
    paths = [tmp_path / name for name in ("a.json", "b.json")]
    for path in paths:
        assert main(["trace", PROMPT, "--layers", "2", "--reproducible", "-o", str(path)]) == 0
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("format_", ["graphml", "gexf", "cyjs", "csv"])
def test_the_document_is_exported_whole(traced: Any, tmp_path: Path, format_: str):
    path, out = traced[1], tmp_path / f"out.{format_}"
    n_nodes = len(json.loads(path.read_text())["nodes"])
    assert main(["export", str(path), "--to", format_, "-o", str(out)]) == 0
    if format_ == "graphml":
        assert len(networkx.read_graphml(out, force_multigraph=True)) == n_nodes
    elif format_ == "gexf":
        assert len(networkx.read_gexf(out)) == n_nodes
    elif format_ == "cyjs":
        assert len(networkx.cytoscape_graph(json.loads(out.read_text()))) == n_nodes
    else:
        with (tmp_path / "out.nodes.csv").open(newline="", encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == n_nodes


def test_the_summary_is_the_one_in_the_readme(capsys: pytest.CaptureFixture[str]):
    assert main(["trace", PROMPT, "--summary"]) == 0
    shown = re.search(r"<!-- summary -->\n```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    ours, theirs = capsys.readouterr().out.splitlines(), shown[1].splitlines()
    # The last digits are the machine's; what they belong to is not.
    assert [line.split()[:2] for line in ours[:6]] == [line.split()[:2] for line in theirs[:6]]
    assert len(ours) == len(theirs)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["trace", ""], "the prompt is empty; give at least one token of text"),
        (["trace", "the " * 200], r"the prompt is \d+ tokens long; mini reads 128 at most"),
        (["trace", PROMPT, "--target", "Tokyo and"], r"target 'Tokyo and' is \d+ tokens"),
        (["trace", PROMPT, "--position", "8"], "position 8 does not exist; the prompt has 0 to 7"),
        (["trace", PROMPT, "--layers", "6"], "layer 6 does not exist; the model has 0 to 5"),
        (["trace", PROMPT, "--model", "no/such"], "neither a folder nor in the hub's cache"),
        (["trace", PROMPT, "-o", "/no/such/folder/g.json"], "cannot be written"),
        (["show", "/no/such/file.json"], "cannot be read: no such file"),
    ],
)
def test_bad_input_gets_one_clear_line(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(message, captured.err)
    assert captured.err.count("\n") == 1
