"""The graph of a view, on the shelf or made again, and all that an engine adds to it."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from visit.engine.progress import Progress
from visit.engine.protocol import Engine
from visit.engine.questions import (
    Answer,
    DrawParts,
    Explain,
    OpenBlock,
    Question,
    ReadConsensus,
)
from visit.errors import VisitError
from visit.graph.flow import FlowGraph, NodeId, NodeKind
from visit.graph.index import Index, is_whole, merge
from visit.graph.kinds import BLOCKS, NODES
from visit.graph.request import Request
from visit.graph.selection import can_open
from visit.web.state.bounds import Bounds
from visit.web.state.jobs import Jobs, ask
from visit.web.state.shelf import Shelf
from visit.web.state.view import View

_ALONE = frozenset({NodeKind.HEAD, NodeKind.MEMORY_VALUE, NodeKind.MLP})
"""What is fetched without the rest of its block."""


class Graphs:
    """Finds what a view shows; asks an engine, where there is one, for what the shelf lacks.

    Whatever is asked about one graph is asked once, however many callbacks wait for it, and of the
    weights that made it. To be used from the event loop.
    """

    def __init__(
        self,
        engine: Engine | None,
        shelf: Shelf,
        jobs: Jobs | None = None,
        *,
        bounds: Bounds | None = None,
    ) -> None:
        self._engine = engine
        self._shelf = shelf
        self._jobs = jobs or Jobs()
        self._bounds = bounds or Bounds()
        self._making: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def find(self, view: View) -> Index | None:
        """The view's graph; one that fell off the shelf is made again from its request.

        Raises:
            VisitError: it cannot be made again: its model is gone, or has other weights now.
        """
        index = self._shelf.get(view.key)
        engine = self._engine_for(view)
        if index is None and engine is not None:
            async with self._lock(view.key):
                index = self._shelf.get(view.key)
                if index is None:
                    flow = await ask(engine, Explain(view.request, weights=view.weights))
                    index = self._shelf.keep(view.key, await self._jobs.tap(lambda: Index(flow)))
        return index

    async def find_told(
        self, key: str | None, data: dict[str, Any] | None
    ) -> tuple[View, Index] | None:
        """The view that a page tells of, with its graph; ``None`` where it shows none.

        Args:
            key: The graph's, which the page has once it shows one.
            data: The view, as the page holds it.

        Raises:
            ValueError: it is no view.
            VisitError: as ``find``.
        """
        if key is None or data is None:
            return None
        view = View.parse(data)
        index = await self.find(view)
        return None if index is None else (view, index)

    async def find_opened(self, view: View) -> Index:
        """The view's graph, with every opened block in it.

        Raises:
            VisitError: a block cannot be opened, or the graph is gone.
        """
        index = await self.find(view)
        if index is None:
            raise VisitError("this graph is no longer held by the server; open the document again")
        for node_id in view.opened:
            if node_id.kind in BLOCKS or not can_open(index, node_id):
                index = await self.add_block(view, index, _block_of(node_id))
        return index

    async def find_shown(self, view: View, ids: Iterable[NodeId]) -> Index:
        """The view's graph with every opened block in it, and some nodes besides.

        A head or a memory comes by itself, any other part of a block with all of the block.

        Raises:
            VisitError: as ``find_opened``.
        """
        index, wanted = await self.find_opened(view), tuple(ids)
        index = await self.add_parts(view, index, (n for n in wanted if n.kind in _ALONE))
        for node_id in wanted:
            is_inside = NODES[node_id.kind].inside is not None
            if node_id not in index.nodes and is_inside and node_id.layer is not None:
                index = await self.add_block(view, index, _block_of(node_id))
        return index

    async def add_block(self, view: View, index: Index, node_id: NodeId) -> Index:
        """The view's graph with a block in it, where it lacks it and an engine can give it.

        Raises:
            VisitError: the block cannot be opened.
        """
        engine = self._engine_for(view)
        if engine is None or not _lacks(index, node_id):
            return index
        async with self._lock(view.key):
            there = self._shelf.get(view.key)
            # What another callback fetched is taken; a graph made again has less than ours.
            if there is not None and there.nodes.keys() >= index.nodes.keys():
                index = there
            if _lacks(index, node_id) and node_id.layer is not None:
                block = await ask(
                    engine,
                    OpenBlock(view.request, node_id.layer, node_id.position, weights=view.weights),
                )
                held = index
                grown = await self._jobs.tap(lambda: Index(merge(held.flow, block)))
                index = self._shelf.keep(view.key, grown)
        return index

    async def add_parts(self, view: View, index: Index, parts: Iterable[NodeId]) -> Index:
        """The view's graph with some heads and memories, where it lacks them and is not fixed.

        Raises:
            VisitError: the model has no such part.
        """
        lacking = {part for part in parts if part not in index.nodes}
        engine = self._engine_for(view)
        if engine is None or not lacking:
            return index
        # A ledger that comes takes the place of the one that is held, and names its parts as well.
        ledgers = {_ledger_of(part) for part in lacking}
        beside = {held for held in index.nodes if _ledger_of(held) in ledgers}
        named = tuple(sorted(map(str, lacking | beside)))
        async with self._lock(view.key):
            drawn = await ask(engine, DrawParts(view.request, named, weights=view.weights))
            held = self._shelf.get(view.key)
            if held is None or not held.nodes.keys() >= index.nodes.keys():
                held = index
            whole = held
            grown = await self._jobs.tap(lambda: Index(merge(whole.flow, drawn)))
            return self._shelf.keep(view.key, grown)

    def find_beside(self, view: View) -> FlowGraph | None:
        """The graph of another prompt that the view's is held against, if it is against any."""
        return self._shelf.get_beside(view.key)

    def can_ask(self, view: View) -> bool:
        """Whether there is an engine that may be asked about the view's graph."""
        return self._engine_for(view) is not None

    def check(self, request: Request) -> None:
        """Refuse a request that asks for more than this server gives.

        Raises:
            RequestError: the text says what is too much.
        """
        self._bounds.check(request)

    def check_prompts(self, question: ReadConsensus) -> None:
        """Refuse more prompts than this server reads at once.

        Raises:
            RequestError: the text says what is too much.
        """
        self._bounds.check_prompts(question)

    def recall(self, view: View, question: Question[Answer]) -> Answer | None:
        """The answer to a question about the view's graph, where that is kept."""
        kept = self._shelf.get_answer(view.key, replace(question, weights=view.weights))
        return None if kept is None else kept[0]

    async def answer(
        self, view: View, question: Question[Answer], progress: Progress | None = None
    ) -> Answer | None:
        """The answer to a question about the view's graph; ``None`` where no engine may be asked.

        Raises:
            VisitError: it cannot be answered.
        """
        engine = self._engine_for(view)
        if engine is None:
            return None
        question = replace(question, weights=view.weights)
        kept = self._shelf.get_answer(view.key, question)
        if kept is None:
            async with self._lock((view.key, question)):
                kept = self._shelf.get_answer(view.key, question)
                if kept is None:
                    kept = (await ask(engine, question, progress),)
                    self._shelf.keep_answer(view.key, question, kept[0])
        return kept[0]

    def _lock(self, key: Hashable) -> asyncio.Lock:
        """The lock of a graph, or of a question about it, held while that is made or answered."""
        return self._making.setdefault(key, asyncio.Lock())

    def _engine_for(self, view: View) -> Engine | None:
        """The engine, unless the graph came from a document, which none may add to.

        Raises:
            RequestError: the view asks for more than this server gives.
        """
        if view.fixed or self._engine is None:
            return None
        self._bounds.check_view(view)
        return self._engine


def _ledger_of(part: NodeId) -> tuple[NodeKind, int | None, int]:
    """What tells whether two parts are lines of one ledger."""
    return part.kind, part.layer, part.position


def _block_of(node_id: NodeId) -> NodeId:
    """The block that holds a node, at the node's position; itself for a block."""
    if node_id.kind in BLOCKS:
        return node_id
    is_of_mlp = NODES[node_id.kind].inside is NodeKind.MLP
    kind = NodeKind.MLP if is_of_mlp else NodeKind.ATTN
    return NodeId(kind, node_id.position, node_id.layer)


def _lacks(index: Index, node_id: NodeId) -> bool:
    """Whether a block is open that the graph does not hold yet."""
    return node_id.kind in BLOCKS and not (can_open(index, node_id) and is_whole(index, node_id))
