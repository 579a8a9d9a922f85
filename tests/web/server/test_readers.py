"""A page that does not read: what is asked of it waits."""

import asyncio

from loops import run

from visit.web.server.readers import SlowReaders


def test_a_page_that_reads_nothing_is_asked_for_nothing_more():
    """Its answers waited in a queue without a bound, megabytes each."""
    taken, sent, is_read = [], [], asyncio.Event()

    async def receive():
        taken.append(len(taken))
        return {"type": "websocket.receive"}

    async def send(message):
        await is_read.wait()
        sent.append(message)

    async def dash(scope, receive, send):
        """As Dash has it: one task sends, another takes call after call."""
        sending = asyncio.create_task(send({"type": "websocket.send"}))
        await asyncio.sleep(0)
        taking = asyncio.create_task(receive())
        await asyncio.sleep(0.02)
        assert taken == [] and not taking.done()
        is_read.set()
        await asyncio.gather(sending, taking)

    run(SlowReaders(dash)({"type": "websocket"}, receive, send))
    assert taken == [0] and len(sent) == 1


def test_what_is_no_websocket_is_passed_on_as_it_is():
    async def end(*message):
        return {}

    async def app(scope, receive, send):
        assert scope == {"type": "http"} and receive is send is end

    run(SlowReaders(app)({"type": "http"}, end, end))
