"""A hub of our own on 127.0.0.1: one folder of models, served as huggingface.co does, and a log."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LFS_FROM = 5000
"""Bytes from which a file is kept as large ones are, and named after its SHA-256."""


class FakeHub:
    """Serves ``folder/lab/name``; ``requests`` holds what was asked, as ``GET /path``.

    Attributes:
        chunk: How many bytes of a file are sent at a time.
        pause: Seconds between two chunks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []
        self.sent: dict[str, int] = {}
        self.chunk, self.pause = 1 << 20, 0.0
        self.status: dict[str, tuple[int, dict[str, str]]] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_HEAD(self) -> None:
                hub._answer(self)

            def do_GET(self) -> None:
                hub._answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def open(self) -> Iterator[FakeHub]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.requests.append(f"{request.command} {path}")
        for name, (status, headers) in self.status.items():
            if name in path:
                return self._send(request, status, headers, b"{}")
        if found := re.fullmatch(r"/api/models/(\w+/\w+)(/revision/main|/tree/\w+)?", path):
            repo = self.folder / found[1]
            if not repo.is_dir():
                return self._send(request, 404, {"X-Error-Code": "RepoNotFound"}, b"{}")
            tree = (found[2] or "").startswith("/tree")
            answer = self._tree(repo) if tree else self._info(found[1], repo)
            body = json.dumps(answer).encode()
            return self._send(request, 200, {"Content-Type": "application/json"}, body)
        if found := re.fullmatch(r"/(\w+/\w+)/resolve/\w+/(.+)", path):
            return self._send_file(request, self.folder / found[1] / found[2])
        code = "RevisionNotFound" if "/revision/" in path else "EntryNotFound"
        return self._send(request, 404, {"X-Error-Code": code}, b"{}")

    def _files(self, repo: Path) -> list[tuple[str, bytes]]:
        files = sorted(path for path in repo.rglob("*") if path.is_file())
        return [(path.relative_to(repo).as_posix(), path.read_bytes()) for path in files]

    def _info(self, name: str, repo: Path) -> dict[str, Any]:
        siblings = [{"rfilename": file, "size": len(data)} for file, data in self._files(repo)]
        return {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "private": False}

    def _tree(self, repo: Path) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": file, "size": len(data), "oid": etag(data)}
            for file, data in self._files(repo)
        ]

    def _send_file(self, request: BaseHTTPRequestHandler, path: Path) -> None:
        if not path.is_file():
            return self._send(request, 404, {"X-Error-Code": "EntryNotFound"}, b"")
        data = path.read_bytes()
        headers = {"ETag": f'"{etag(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        span = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if span is None:
            return self._send(request, 200, headers, data, path.name)
        start = int(span[1])
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self._send(request, 206, headers, data[start:], path.name)

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        headers: dict[str, str],
        body: bytes,
        name: str = "",
    ) -> None:
        request.send_response(status)
        for header, value in headers.items():
            request.send_header(header, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command == "HEAD":
            return
        try:
            for start in range(0, len(body), self.chunk):
                part = body[start : start + self.chunk]
                request.wfile.write(part)
                self.sent[name] = self.sent.get(name, 0) + len(part)
                time.sleep(self.pause)
        except OSError:  # the client has gone
            request.close_connection = True


def etag(data: bytes) -> str:
    """What the hub calls a file: the SHA-256 of a large one, the git hash of a small one."""
    if len(data) >= LFS_FROM:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
