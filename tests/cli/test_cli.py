import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from flow_strategies import small_flow
from sample import make_flow

import visit
from visit.cli.main import WAITING, main, parser
from visit.cli.progress import progress_bar
from visit.errors import RequestError
from visit.formats.document import flow_from_json, read_flow, write_flow
from visit.graph.flow import FlowGraph
from visit.graph.metric import MetricChoice
from visit.graph.request import RankBy, Request, RouteBy
from visit.web.server.hosts import Hosts

ROOT = Path(__file__).parents[2]
PROMPT = "The capital of Japan is the city of"


class FakeSession:
    """What the command line needs of a session, and what it was asked."""

    def __init__(self) -> None:
        self.loaded: list[tuple[str, str, str, str | None]] = []
        self.requests: list[Request] = []
        self.during: Callable[[], None] = lambda: None

    def load(
        self,
        name: str,
        *,
        dtype="float32",
        device="auto",
        device_map=None,
        quant=None,
        revision=None,
        allowed=None,
        paths=True,
        most_waiting=256,
        progress=None,
    ) -> "FakeSession":
        progress(f"loading {name}", 0.0)
        self.loaded.append((name, dtype, device, revision))
        self.spread = (device_map, quant)
        self.allowed = allowed
        self.paths, self.most_waiting = paths, most_waiting
        return self

    def explain(self, request: Request, progress) -> FlowGraph:
        self.requests.append(request)
        self.during()
        progress("forward", 0.5)
        return replace(small_flow(), created=None)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    """Stands in for ``visit.session``, so that no model is loaded."""
    fake = FakeSession()
    module = ModuleType("visit.session")
    module.Session = fake
    monkeypatch.setitem(sys.modules, "visit.session", module)
    return fake


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "g.json"
    write_flow(make_flow(), path)
    return path


def complaint(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    """The one line that a wrong command line gets."""
    assert exit_code(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("visit: ")
    return captured.err.removeprefix("visit: ").rstrip("\n")


def exit_code(argv: list[str]) -> int:
    try:
        return main(argv)
    except SystemExit as left:
        assert isinstance(left.code, int)
        return left.code


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]):
    assert exit_code(["--version"]) == 0
    assert capsys.readouterr().out == f"visit {visit.__version__}\n"


def test_every_help_text_stands_in_the_docs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```text\n\$ visit ([^\n]*)\n(.*?)^```$", text, re.M | re.S))
    commands = [
        "trace", "ablate", "patch", "circuit", "compare", "why", "consensus", "generate", "explore",
        "explore norms", "serve", "show",
        "export", "models", "models get", "models clear",
        "study", "study run", "study report", "study list", "atlas",
        *(f"atlas {command}" for command in ("build", "search", "list", "clear")),
    ]  # fmt: skip
    assert list(blocks) == ["-h", *(f"{command} -h" for command in commands)]
    for arguments, shown in blocks.items():
        assert exit_code(arguments.split()) == 0
        assert words(capsys.readouterr().out) == words(shown)


def words(help_text: str) -> list[str]:
    """The words of a help text; from Python 3.13 on an option of two names has its metavar once."""
    return re.sub(r"-(\w) (\w+), --(\w+) \2", r"-\1, --\3 \2", help_text).split()


def test_a_trace_goes_to_stdout(session: FakeSession, capsys: pytest.CaptureFixture[str]):
    assert main(["trace", PROMPT]) == 0
    captured = capsys.readouterr()
    flow = flow_from_json(captured.out)
    assert replace(flow, created=None) == replace(small_flow(), created=None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", flow.created or "")
    assert captured.err == ""
    assert session.loaded == [("mini", "float32", "auto", None)]
    assert session.requests == [Request(prompt=PROMPT, model="mini")]


def test_every_option_reaches_the_request(session: FakeSession):
    argv = [
        "trace", "Paris is", "--model", "gpt2", "--target", " in", "--versus", " the",
        "--position", "-2",
        "--layers", "0-1,3", "--heads", "1", "--sources", "3", "--memories", "4",
        "--anti-memories", "5", "--attn-neurons", "6", "--anti-attn-neurons", "7", "--top-k", "8",
        "--threshold", "0.5", "--rank-by", "share", "--dtype", "float64", "--device", "cpu",
        "--revision", "main", "--metric", "centred", "--candidates", "9", "--route", "share",
        "--strongest", "10", "--strongest-memories", "11", "--no-outcome", "--effects",
    ]  # fmt: skip
    assert main(argv) == 0
    assert session.loaded == [("gpt2", "float64", "cpu", "main")]
    assert session.requests == [
        Request(
            "Paris is",
            "gpt2",
            " in",
            " the",
            -2,
            "0-1,3",
            1,
            3,
            4,
            5,
            6,
            7,
            8,
            0.5,
            RankBy.SHARE,
            MetricChoice.CENTRED,
            9,
            RouteBy.SHARE,
            10,
            11,
            False,
            True,
        )
    ]


def test_a_prompt_and_its_tokens_can_be_given_by_id(session: FakeSession):
    by_id = ["--prompt-ids", "5, 6,7", "--target-id", "8", "--versus-id", "0"]
    assert main(["trace", *by_id]) == 0
    assert main(["trace", "shown", "--target", "a", *by_id]) == 0
    asked = Request(model="mini", prompt_ids=(5, 6, 7), target_id=8, versus_id=0)
    assert session.requests == [asked, replace(asked, prompt="shown", target="a")]


def test_a_typed_token_is_exactly_what_it_says_with_escapes_for_what_no_key_writes(
    session: FakeSession,
):
    assert main(["trace", "x", "--target", "·", "--versus", r"\n"]) == 0
    assert main(["trace", "x", "--target", r"\xe6", "--versus", r"\#5"]) == 0
    assert main(["trace", "x", "--target", r"\#5", "--target-id", "7", "--versus", "auto"]) == 0
    asked = Request("x", "mini")
    assert session.requests == [
        replace(asked, target="·", versus="\n"),
        replace(asked, target="\\xe6", versus_id=5),
        replace(asked, target_id=7, versus="auto"),
    ]


def test_every_field_of_a_request_has_an_option():
    said = vars(parser().parse_args(["trace", "x"]))
    assert Request.__dataclass_fields__.keys() <= said.keys()


def test_a_reproducible_trace_has_no_time_and_the_same_bytes(session: FakeSession, tmp_path: Path):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in paths:
        assert main(["trace", PROMPT, "--reproducible", "-o", str(path)]) == 0
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert "created" not in json.loads(first)["graph"]


def test_a_summary_is_asked_for_with_the_strongest_parts_of_every_layer(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
):
    assert main(["trace", PROMPT, "--summary", "--layers", "none"]) == 0
    assert capsys.readouterr().out.startswith("capital Japan of\n")
    asked = Request(prompt=PROMPT, model="mini", layers="none")
    full = replace(
        asked, layers="all", heads=10, memories=10, anti_memories=10, rank_by=RankBy.FLOW,
        strongest=100, strongest_memories=10,
    )  # fmt: skip
    assert session.requests == [asked, full]


def test_a_summary_with_an_output_gives_both(
    session: FakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "g.json"
    assert main(["trace", PROMPT, "--summary", "-o", str(path)]) == 0
    assert capsys.readouterr().out.startswith("capital Japan of\n")
    assert read_flow(path).model.name == "toy"
    assert main(["trace", PROMPT, "--summary", "-o", "-"]) == 0
    summary, brace, rest = capsys.readouterr().out.partition("{")
    assert summary.startswith("capital Japan of\n")
    assert flow_from_json(brace + rest).model.name == "toy"


def test_an_output_that_cannot_be_written_is_refused_before_a_model_is_loaded(
    session: FakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "gone" / "g.json"
    line = complaint(capsys, ["trace", PROMPT, "-o", str(path)])
    assert line == f"{path} cannot be written: no such file or directory; choose another file"
    assert session.loaded == []
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_fails_late_leaves_nothing_half_written(
    session: FakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "out"
    folder.mkdir()
    session.during = folder.rmdir
    line = complaint(capsys, ["trace", PROMPT, "-o", str(folder / "g.json")])
    assert "g.json cannot be written: no such file or directory" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "the following arguments are required: COMMAND; visit -h says what is allowed"),
        (["trace"], "the following arguments are required: PROMPT; visit trace -h says"),
        (["trace", ""], "the prompt is empty; give at least one token of text"),
        (["trace", "x\udce9"], "the prompt is not UTF-8 at character 1"),
        (["trace", "x", "--target", "\udce9"], "the target is not UTF-8 at character 0"),
        (["trace", "x", "--versus", "\udce9"], "the versus is not UTF-8 at character 0"),
        (["trace", "x", "--position", "last"], "argument --position: invalid int value: 'last'"),
        (["trace", "x", "--heads", "-1"], "heads is -1; give 0 or more"),
        (["trace", "", "--bos"], "the prompt is empty; give at least one token of text"),
        (["trace", "--prompt-ids", "5,x"], "argument --prompt-ids: ids[1] is 'x'; give a whole"),
        (["trace", "--prompt-ids=-1"], "argument --prompt-ids: ids[0] is -1; give a token's id, 0"),
        (["trace", "--prompt-ids", ""], "prompt_ids is empty; give the id of at least one token"),
        (["trace", "--prompt-ids", "5", "--chat"], "chat is True, but prompt_ids are read as they"),
        (["trace", "--prompt-ids", "5", "--no-bos"], "bos is False, but prompt_ids are read as"),
        (["trace", "x", "--target-id", "a"], "argument --target-id: invalid int value: 'a'"),
        (["trace", "x", "--versus-id", "-1"], "versus_id is -1; give a token's id, 0 or more"),
        (["trace", "x", "--threshold", "2"], "threshold is 2.0; give a number from 0 to 1"),
        (["trace", "x", "--rank-by", "size"], "argument --rank-by: invalid choice: 'size'"),
        (["serve", "--port", "http"], "argument --port: 'http' is no port; give a number from 0"),
        (
            ["serve", "--most-waiting", "0"],
            "argument --most-waiting: '0' is no count; give",
        ),
        (["serve", "--models", " ,"], "argument --models: ' ,' names no model; give names between"),
        (["show", "x", "--port", "65536"], "argument --port: '65536' is no port; give a number"),
        (["export", "x", "--to", "dot"], "argument --to: invalid choice: 'dot'"),
        (["export", "x"], "the following arguments are required: --to"),
        (["paint"], "argument COMMAND: invalid choice: 'paint'"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(
    argv: list[str], line: str, session: FakeSession, capsys: pytest.CaptureFixture[str]
):
    assert complaint(capsys, argv).startswith(line)
    assert session.loaded == []


@pytest.mark.parametrize("command", [["show"], ["export", "--to", "csv"]])
@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: text[:-100], "g.json: not JSON, or cut short: "),
        (lambda text: text.replace("flow/2", "flow/3"), "g.json: schema is 'visit.flow/3'; this "),
        (
            lambda text: text.replace('"source":"L0.mlp@2"', '"source":"L9.mlp@2"', 1),
            "no node 'L9.mlp@2'",
        ),
        (lambda text: text.replace('"norm":', '"norm":"', 1), "g.json: "),
    ],
)
def test_a_document_that_is_none_is_refused(
    command: list[str],
    change: Callable[[str], str],
    line: str,
    document: Path,
    capsys: pytest.CaptureFixture[str],
):
    document.write_text(change(document.read_text("utf-8")), "utf-8")
    assert line in complaint(capsys, [*command, str(document)])
    assert list(document.parent.iterdir()) == [document]


@pytest.mark.parametrize("command", ["serve", "show"])
def test_a_port_in_use_is_refused_before_a_model_is_loaded(
    command: str, session: FakeSession, document: Path, capsys: pytest.CaptureFixture[str]
):
    first = [command] if command == "serve" else [command, str(document)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = complaint(capsys, [*first, "--port", str(port)])
    assert line.startswith(f"port {port} on 127.0.0.1 cannot be used (address already in use)")
    assert session.loaded == []


def test_serve_and_show_give_the_app_what_it_needs(
    session: FakeSession,
    document: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    calls: list[object] = []
    monkeypatch.setattr("visit.web.app.bind", lambda host, port: socket.socket())
    monkeypatch.setattr("visit.web.app.run", lambda app, host, port: calls.append((host, port)))
    monkeypatch.setattr(
        "visit.web.app.create_app", lambda engine, **given: calls.append((engine, given))
    )
    assert main(["serve", "--port", "1234"]) == 0
    shown = {"request": Request(prompt=PROMPT, layers="none"), "hosts": Hosts.of("127.0.0.1")}
    assert calls == [(session, shown), ("127.0.0.1", 1234)]
    calls.clear()
    assert main(["show", str(document), "--host", "localhost"]) == 0
    shown = {"flow": make_flow(), "hosts": Hosts.of("localhost")}
    assert calls == [(None, shown), ("localhost", 8050)]
    assert capsys.readouterr().err == ""
    assert main(["serve", "Paris is", "--host", "0.0.0.0"]) == 0
    warning = "visit: warning: 0.0.0.0 lets other machines in, and this app asks for no password\n"
    assert capsys.readouterr().err == warning


@pytest.mark.parametrize(
    ("argv", "how"),
    [
        ([], {}),
        (["--bos"], {"bos": True}),
        (["--no-bos", "--chat"], {"bos": False, "chat": True}),
    ],
)
def test_a_prompt_is_read_as_the_options_say_in_trace_and_in_serve(
    argv: list[str], how: dict[str, bool], session: FakeSession, monkeypatch: pytest.MonkeyPatch
):
    asked: list[Request] = []
    monkeypatch.setattr("visit.web.app.bind", lambda host, port: socket.socket())
    monkeypatch.setattr("visit.web.app.run", lambda *_: None)
    monkeypatch.setattr(
        "visit.web.app.create_app", lambda *_, **given: asked.append(given["request"])
    )
    assert main(["serve", "Paris is", *argv]) == 0
    assert asked == [Request("Paris is", layers="none", **how)]  # blocks open as they are tapped
    assert main(["trace", "Paris is", "-o", "-", *argv]) == 0
    assert session.requests[-1] == Request("Paris is", model="mini", **how)


def test_a_chat_that_cannot_be_read_is_refused_before_a_model_is_loaded(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
):
    for command in ("trace", "serve"):
        line = complaint(capsys, [command, "--chat", '[{"role": "user"}]'])
        assert line.startswith("message 0 of the chat has no 'content'; give [{")
    assert session.loaded == []


def test_a_pass_without_an_embedding_is_refused_in_one_line_before_a_model_is_loaded(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
):
    line = complaint(capsys, ["trace", "Paris is", "--without", "embed@3"])
    assert line.startswith("a pass without embed@3 can be measured but not drawn; draw one without")
    assert session.loaded == []


def test_a_chat_of_a_model_without_a_template_is_one_line(capsys: pytest.CaptureFixture[str]):
    assert complaint(capsys, ["trace", "--chat", "hello"]) == (
        "this model has no chat template; give the prompt as text, not as chat"
    )


@pytest.mark.parametrize(
    ("argv", "name", "allowed"),
    [
        ([], "mini", None),
        (["--model", "gpt2"], "gpt2", None),
        (["--models", "gpt2,mini"], "gpt2", ("gpt2", "mini")),
        (["--models", "gpt2, mini,,gpt2", "--model", "mini"], "mini", ("gpt2", "mini")),
    ],
)
def test_serve_loads_the_model_that_was_named_or_the_first_that_is_allowed(
    argv: list[str],
    name: str,
    allowed: tuple[str, ...] | None,
    session: FakeSession,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("visit.web.app.bind", lambda host, port: socket.socket())
    monkeypatch.setattr("visit.web.app.run", lambda *_: None)
    monkeypatch.setattr("visit.web.app.create_app", lambda *_, **given: None)
    running = ["--dtype", "float64", "--device", "cpu", "--revision", "main"]
    assert main(["serve", *argv, *running]) == 0
    assert session.loaded == [(name, "float64", "cpu", "main")]
    assert session.allowed == allowed


@pytest.mark.parametrize(
    ("argv", "paths", "hosts"),
    [
        ([], True, Hosts.of("127.0.0.1")),
        (["--no-allow-paths"], False, Hosts.of("127.0.0.1")),
        (["--allow-host", "a.example"], False, Hosts.of("127.0.0.1", ["a.example"])),
        (["--host", "0.0.0.0"], False, Hosts.of("0.0.0.0")),
        (["--host", "0.0.0.0", "--allow-paths"], True, Hosts.of("0.0.0.0")),
    ],
)
def test_local_paths_are_for_this_machine_alone_unless_they_are_allowed(
    argv: list[str],
    paths: bool,
    hosts: Hosts,
    session: FakeSession,
    monkeypatch: pytest.MonkeyPatch,
):
    seen: list[Hosts] = []
    monkeypatch.setattr("visit.web.app.bind", lambda host, port: socket.socket())
    monkeypatch.setattr("visit.web.app.run", lambda *_: None)
    monkeypatch.setattr("visit.web.app.create_app", lambda *_, **given: seen.append(given["hosts"]))
    assert main(["serve", "--most-waiting", "40", *argv]) == 0
    assert (session.paths, session.most_waiting, seen) == (paths, 40, [hosts])


def test_what_serve_asks_first_names_no_model(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch
):
    """Or a page without an address would load that one again after another was chosen."""
    asked: list[Request] = []
    monkeypatch.setattr("visit.web.app.bind", lambda host, port: socket.socket())
    monkeypatch.setattr("visit.web.app.run", lambda *_: None)
    monkeypatch.setattr(
        "visit.web.app.create_app", lambda *_, **given: asked.append(given["request"])
    )
    assert main(["serve", "Paris is", "--model", "gpt2"]) == 0
    assert asked == [Request("Paris is", layers="none")]


def test_serve_refuses_a_model_that_is_not_among_those_allowed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("visit.web.app.bind", lambda host, port: socket.socket())
    line = complaint(capsys, ["serve", "--models", "mini,gpt2", "--model", "/no/such/folder"])
    assert line == "model '/no/such/folder' is not offered here; choose one of mini, gpt2"


@pytest.mark.parametrize(
    ("to", "names"),
    [
        ("graphml", ["g.graphml"]),
        ("gexf", ["g.gexf"]),
        ("cyjs", ["g.cyjs"]),
        ("csv", ["g.nodes.csv", "g.edges.csv"]),
        ("svg", ["g.svg"]),
    ],
)
def test_an_export_goes_beside_its_document_and_says_where(
    to: str, names: list[str], document: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["export", str(document), "--to", to]) == 0
    paths = [document.parent / name for name in names]
    assert capsys.readouterr().out == "".join(f"{path}\n" for path in paths)
    assert {document, *paths} == set(document.parent.iterdir())


def test_a_document_goes_into_an_html_file_and_comes_out_the_same(document: Path):
    assert main(["export", str(document), "--to", "html"]) == 0
    page = document.with_suffix(".html")
    assert read_flow(page) == make_flow()
    again = document.with_name("again.json")
    assert main(["export", str(page), "--to", "json", "-o", str(again)]) == 0
    assert again.read_bytes() == document.read_bytes()


def test_an_html_file_without_a_document_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    page = tmp_path / "page.html"
    page.write_text("<p>hello</p>", encoding="utf-8")
    said = complaint(capsys, ["show", str(page)])
    assert said == f"{page}: the page holds no flow document; give one that visit made"


def test_an_export_goes_where_it_is_told(document: Path, tmp_path: Path):
    assert main(["export", str(document), "--to", "csv", "-o", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run.nodes.csv").exists()


def test_models_names_the_families_and_the_bundled_model(capsys: pytest.CaptureFixture[str]):
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^  GPT-2 +GPT-2", text, re.M)
    assert re.search(r"^  Llama +.*SmolLM2", text, re.M)
    assert re.search(r"^  mini +bundled, the default$", text, re.M)


def fail(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


def test_only_debug_shows_a_traceback(session: FakeSession, capsys: pytest.CaptureFixture[str]):
    session.during = fail(RequestError("target 'x y' is 2 tokens\nnot one"))
    assert complaint(capsys, ["trace", "x"]) == "target 'x y' is 2 tokens↵not one"
    assert main(["trace", "x", "--debug"]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_fault_of_ours_is_not_blamed_on_the_user(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
):
    session.during = fail(KeyError("layer"))
    assert main(["trace", "x"]) == 70
    assert capsys.readouterr().err == (
        "visit: a fault of ours, KeyError: 'layer'; --debug says where\n"
    )


def test_an_interruption_is_quiet(session: FakeSession, capsys: pytest.CaptureFixture[str]):
    session.during = fail(KeyboardInterrupt())
    assert main(["trace", "x"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_has_gone_is_not_an_error(document: Path):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as closed:
        finished = subprocess.run(
            [sys.executable, "-m", "visit.cli.entry", "export", document.name, "--to", "csv"],
            cwd=document.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (finished.returncode, finished.stderr) == (141, "")


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    def reconfigure(self, **settings: str) -> None:
        """Nothing to set."""


@pytest.mark.parametrize(("seconds", "shows"), [(0.0, False), (1.1, True)])
def test_a_terminal_shows_progress_after_a_second(
    seconds: float, shows: bool, session: FakeSession, monkeypatch: pytest.MonkeyPatch
):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    session.during = lambda: time.sleep(seconds)
    assert main(["trace", PROMPT]) == 0
    assert ("forward  50 %" in terminal.getvalue()) is shows


def test_a_download_shows_its_bytes_and_no_empty_bar(
    session: FakeSession, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar() as progress:
        time.sleep(1.1)
        progress("downloading lab/a, 1.2 of 3.4 GB", 0.0)
        shown = capsys.readouterr().err
        assert "downloading lab/a, 1.2 of 3.4 GB" in shown
        assert "%" not in shown
        time.sleep(0.15)
        progress("forward", 0.1)
        assert "forward  10 %" in capsys.readouterr().err


def test_what_is_not_a_terminal_shows_no_progress(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
):
    session.during = lambda: time.sleep(1.1)
    assert main(["trace", PROMPT]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("users", "policy", "spins"),
    [
        ({}, "PASSIVE", "3000"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE", None),
        ({"GOMP_SPINCOUNT": "7"}, "PASSIVE", "7"),
    ],
)
def test_threads_that_wait_leave_the_processor_to_others_unless_the_user_says_otherwise(
    users, policy, spins
):
    inherited = {name: value for name, value in os.environ.items() if name not in WAITING}
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "from visit.cli.main import main; main(['show', 'no.json']); import torch",
        ],
        env={**inherited, **users, "PYTHONPATH": str(ROOT), "OMP_DISPLAY_ENV": "VERBOSE"},
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr[-2000:]
    policies = re.findall(r"OMP_WAIT_POLICY = '(\w+)'", said.stderr)
    if not policies:
        pytest.skip("this torch's OpenMP does not say how its threads wait")
    assert set(policies) == {policy}
    assert spins is None or set(re.findall(r"GOMP_SPINCOUNT = '(\d+)'", said.stderr)) == {spins}
