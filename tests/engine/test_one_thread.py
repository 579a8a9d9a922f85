"""One thread for the model, however many ask."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest
from sample import FakeEngine

from visit.engine.one_thread import Alone
from visit.errors import Cancelled
from visit.graph.request import Request


class Watched(FakeEngine):
    """Notes the thread of every call."""

    def __init__(self):
        super().__init__()
        self.threads = set()

    def explain(self, request, progress=None):
        self.threads.add(threading.current_thread().name)
        return super().explain(request, progress)


def test_every_request_is_answered_in_one_thread_whoever_asks():
    engine = Watched()
    alone = Alone(engine)
    prompts = [f"Rome is {n}" for n in range(12)]
    with ThreadPoolExecutor(6) as askers:
        flows = list(askers.map(lambda prompt: alone.explain(Request(prompt)), prompts))
    assert [flow.request.prompt for flow in flows] == prompts
    assert len(engine.threads) == 1
    assert threading.current_thread().name not in engine.threads


def test_progress_knows_which_page_asked_and_can_still_stop_the_work():
    page = ContextVar("page", default=None)
    seen = []

    def progress(stage, part):
        seen.append(page.get())
        raise Cancelled("enough")

    page.set("mine")
    with pytest.raises(Cancelled, match="enough"):
        Alone(FakeEngine()).explain(Request("Rome is"), progress)
    assert seen == ["mine"]


def test_the_list_of_models_does_not_wait_for_a_trace():
    began, ends = threading.Event(), threading.Event()

    class Slow(FakeEngine):
        def explain(self, request, progress=None):
            began.set()
            ends.wait(20)
            return super().explain(request, progress)

    alone = Alone(Slow())
    asker = threading.Thread(target=alone.explain, args=(Request("Rome is"),))
    asker.start()
    assert began.wait(20)
    assert alone.models()
    ends.set()
    asker.join()
