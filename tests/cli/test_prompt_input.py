"""A prompt is read from the command line, a file or a pipe, and is the same prompt."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from visit.cli.main import parser
from visit.cli.request_options import request_from_arguments
from visit.errors import RequestError


def read(*argv: str, stdin: bytes = b"", monkeypatch: pytest.MonkeyPatch | None = None) -> str:
    if monkeypatch is not None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    return request_from_arguments(parser().parse_args(argv)).prompt


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        ("日本の首都は", "日本の首都は"),
        ("\ufeffParis", "Paris"),
        ("\ufeff\ufeffParis", "\ufeffParis"),
        ("Paris is\n", "Paris is"),
        ("Paris is\r\n", "Paris is"),
        ("Paris\r\n\r\n\n", "Paris\r\n\r\n"),
        (" Paris \r", " Paris \r"),
        ("-", "-"),
    ],
)
def test_a_prompt_in_a_file_or_a_pipe_is_the_text_that_it_holds(
    content: str, prompt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "prompt.txt"
    file.write_bytes(content.encode())
    for command in ("trace", "serve"):
        assert read(command, "--prompt-file", str(file)) == prompt
        for stdin in (["-"], ["--prompt-file", "-"]):
            assert read(command, *stdin, stdin=content.encode(), monkeypatch=monkeypatch) == prompt


def test_a_chat_saved_with_a_byte_order_mark_is_read_as_the_chat_it_is(tmp_path: Path):
    file = tmp_path / "chat.json"
    file.write_text('{"messages": [{"role": "user"}]}\n', "utf-8-sig")
    with pytest.raises(RequestError, match="message 0 of the chat has no 'content'"):
        read("trace", "--chat", "--prompt-file", str(file))
    with pytest.raises(RequestError, match="message 0 of the chat has no 'content'"):
        read("trace", "--chat", file.read_text("utf-8"))  # as $(cat chat.json) gives it


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "the prompt in {} is empty; give at least one token of text"),
        (b"\n", "the prompt in {} is empty; give at least one token of text"),
        ("café".encode("latin-1"), "the prompt in {} is not UTF-8 at byte 3; save it in UTF-8"),
        ("Paris".encode("utf-16"), "the prompt in {} is not UTF-8 at byte 0; save it in UTF-8"),
        (None, "the prompt in {} cannot be read: no such file or directory"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_refused_with_its_file(
    content: bytes | None, line: str, tmp_path: Path
):
    file = tmp_path / "prompt.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RequestError) as caught:
        read("trace", "--prompt-file", str(file))
    assert str(caught.value) == line.format(file)


def test_a_prompt_without_end_is_refused_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("visit.cli.prompt_input._MOST_BYTES", 2**20)
    with pytest.raises(RequestError, match="in /dev/zero is larger than 1 MB; give a shorter one"):
        read("trace", "--prompt-file", "/dev/zero")


def test_a_prompt_is_given_once():
    with pytest.raises(RequestError, match="PROMPT and --prompt-file are both given; give one"):
        read("serve", "Paris is", "--prompt-file", "x")
