"""One researcher of a load test: what it does on its page, and how it knows an answer for its own.

Every client has a word that no other's prompts hold. After each action it compares what it was
answered with what it asked: the view's request, the tokens beside the graph, the graph's rows, the
node in the inspector, the document it saved. A client that is shown another's graph sees it there.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from page import Page, PageError, open_page

from visit.text import visible
from visit.web import ids
from visit.web.inspector.needs import Tab
from visit.web.words import tokens_from_typed

PATTERNS = (
    "{word} says the capital of {place} is the city of",
    "When {word} and {name} went to the store, {name} gave a drink to",
    "{word} went from {place} to",
    "Monday, Tuesday, {word}, Wednesday,",
    "Today the keys of {word} near the table in {place}",
    "river {word} cat house {n} river {word} cat",
    "{word} has {n} books and {name} has",
)
PLACES = ("Japan", "France", "Peru", "Kenya", "Norway", "Italy", "Chile", "Egypt", "Nepal", "Cuba")
NAMES = ("Mary", "John", "Anna", "Peter", "Tom", "Lucy")
_BLOCKS = ("attn", "mlp", "head")


class Crossed(Exception):
    """An answer that is not the asker's own, or not what it asked for."""


@dataclass
class Client:
    """A client, its page and what it knows of its own graph.

    Attributes:
        number: Which of the clients it is.
        url: Where the server listens.
        patience: How long it waits for an answer, in seconds.
        models: Those that it asks by name, one or another; none to ask whichever there is.
        digests: The weights of each model as some client was first told of them.
        durations: How long each action took, in seconds, by its name.
        errors: What went wrong: the server failed, or refused what can be asked for.
        crossings: Answers that were not its own.
    """

    number: int
    url: str
    patience: float = 60.0
    models: tuple[str, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)
    durations: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    crossings: list[str] = field(default_factory=list)
    unplayed: set[str] = field(default_factory=set)
    _page: Page | None = None
    _prompt: str = ""
    _model: str = ""
    _document: dict[str, Any] | None = None
    _clicks: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.number)
        self.word = marker(self.number)

    @property
    def page(self) -> Page:
        """The page that is open."""
        assert self._page is not None, "no page is open yet"
        return self._page

    async def work(self, until: float, think: float) -> None:
        """Act, then think, until a time of the event loop's clock; then leave."""
        await asyncio.sleep(self.random.uniform(0, 2 * think))
        while time.monotonic() < until:
            await self.timed(*self._choose())
            await asyncio.sleep(self.random.uniform(0, 2 * think))
        await self._leave()

    async def timed(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        """Do one action and note how long it took, or what was wrong with it."""
        began = time.monotonic()
        try:
            await act()
        except Crossed as crossed:
            self.crossings.append(f"client {self.number}, {name}: {crossed}")
        except PageError as error:
            self.errors.append(f"client {self.number}, {name}: {error}")
            await self._leave()
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            self.errors.append(
                f"client {self.number}, {name}: the page is not as it is known here "
                f"({type(error).__name__}: {error})"
            )
            await self._leave()
        else:
            self.durations.setdefault(name, []).append(time.monotonic() - began)

    def _choose(self) -> tuple[str, Callable[[], Awaitable[None]]]:
        if self._page is None:
            return "open", self.open
        actions: list[tuple[int, str, Callable[[], Awaitable[None]]]] = [
            (20, "trace", self.trace),
            (10, "retarget", self.retarget),
            (10, "move position", self.move),
            (20, "open block", self.open_block),
            (20, "inspect node", self.inspect),
            (2, "lens grid", self.lens),
            (2, "sankey", self.sankey),
            (5, "cancel", self.cancel),
            (7, "export JSON", self.export),
            (2, "close all", self.close_all),
            (2, "reload page", self.reload),
        ]
        (chosen,) = self.random.choices(actions, [weight for weight, _, _ in actions])
        return chosen[1:]

    # ------------------------------------------------------------------ actions

    async def open(self) -> None:
        """A page from a link that holds a prompt of its own."""
        self._prompt, self._document = self.new_prompt(), None
        search = "?" + urlencode({"prompt": self._prompt})
        self._page = await open_page(self.url, search, self.patience)
        self.unplayed |= self._page.unplayed
        if self.page[ids.VIEW, "data"] is not None:  # whichever answered is asked from now on
            self._model = self.page[ids.VIEW, "data"]["request"]["model"]
        self.check()

    async def reload(self) -> None:
        """Leave, and come back by the address that the page had."""
        view = self.page[ids.VIEW, "data"]
        asked = {"prompt": self._prompt}
        for name in ("target", "position"):
            if view["request"].get(name) is not None:
                asked[name] = str(view["request"][name])
        asked |= {name: view["texts"][name] for name in ("model", "weights")}
        asked["open"] = " ".join(view["opened"])
        await self._leave()
        self._page = await open_page(self.url, "?" + urlencode(asked), self.patience)
        if "press Trace to load it" in (self.page[ids.PROBLEM, "children"] or ""):
            return await self._leave()  # another model took its place: a link loads none
        self.check()
        if self.page[ids.VIEW, "data"]["opened"] != view["opened"]:
            raise Crossed("what was open is not open after a reload")

    async def trace(self) -> None:
        """Another prompt, at its last position, for the model's own top token."""
        await self._ask(self.new_prompt(), model=self._any_model())
        self.check()

    async def cancel(self) -> None:
        """Another prompt, and away with it while it is under way; either may win."""
        before, prompt = self._prompt, self.new_prompt()
        await self.page.begin(self._trace_of(prompt))
        await asyncio.sleep(self.random.uniform(0, 0.1))
        clicks = self.page[ids.CANCEL, "n_clicks"] or 0
        await self.page.change({(ids.CANCEL, "n_clicks"): clicks + 1}, self.patience)
        shown = self.page[ids.VIEW, "data"]["request"]["prompt"]
        if shown not in (before, prompt):
            raise Crossed(f"neither the old prompt nor the new one, but {shown!r}")
        if shown == prompt:
            self._prompt, self._document = prompt, None
        self.check()
        if self.page[ids.TRACE, "disabled"]:
            raise PageError("after a cancelled trace no other can be started")

    async def retarget(self) -> None:
        """Another of the ten predictions as the target."""
        offered = [
            typed
            for part in parts(self.page[ids.GRAPH_PANELS, "data"])
            if (typed := part["attributes"].get("data-target", "")).lstrip("·").isascii()
            and typed.lstrip("·").isalpha()
        ]
        if not offered:
            return await self.trace()
        typed = self.random.choice(offered)
        await self._ask(self._prompt, target=typed, position=self._position())
        self.check()
        target = self.page[ids.VIEW, "data"]["request"]["target"]
        if target != tokens_from_typed(typed)[0]:
            raise Crossed(f"asked for the target {typed!r}, shown {target!r}")

    async def move(self) -> None:
        """Another position of the same prompt."""
        position = self.random.randrange(len(self._chips()))
        await self._ask(self._prompt, position=position)
        self.check()
        if self._position() != position:
            raise Crossed(f"asked for position {position}, shown {self._position()}")

    async def open_block(self) -> None:
        """A closed attention, MLP or head, as a tap does."""
        closed = [
            data["id"]
            for data in self._nodes()
            if data.get("opens") and not data.get("open") and data["kind"] in _BLOCKS
        ]
        if not closed:
            return await self.close_all()
        node = self.random.choice(closed)
        view = self.page[ids.VIEW, "data"]
        changed = {**view, "opened": [*view["opened"], node]}
        await self.page.change(
            {(ids.VIEW, "data"): changed, (ids.PICKED, "data"): node}, self.patience
        )
        self.check()
        self.check_inspected(node)
        if not any(data["id"] == node and data["open"] for data in self._nodes()):
            raise Crossed(f"{node} was opened and is not drawn open")

    async def close_all(self) -> None:
        """Everything closed again."""
        view = self.page[ids.VIEW, "data"]
        await self.page.change({(ids.VIEW, "data"): {**view, "opened": []}}, self.patience)
        self.check()

    async def inspect(self) -> None:
        """A drawn node, looked at in one tab of the inspector or another."""
        node = self.random.choice(self._nodes())["id"]
        # Mostly its words, which a tap asks for; any other tab as often as the next.
        (tab,) = self.random.choices(list(Tab), [6, *[1] * (len(Tab) - 1)])
        await self.page.change(
            {(ids.PICKED, "data"): node, (ids.TAB, "data"): str(tab)}, self.patience
        )
        self.check()
        self.check_inspected(node)

    async def lens(self) -> None:
        """The lens grid, opened and closed."""
        dock = {"open": True, "measure": "rank", "width": 1080}
        await self._look_at(ids.LENS, {(ids.DOCK, "data"): dock})
        await self.page.change({(ids.DOCK, "data"): {**dock, "open": False}}, self.patience)

    async def sankey(self) -> None:
        """A layer as a Sankey, and back to the graph."""
        pane = {"name": "sankey", "layer": self.random.randrange(6)}
        await self._look_at(ids.SANKEY, {(ids.PANE, "data"): pane})
        await self.page.change({(ids.PANE, "data"): {"name": "graph"}}, self.patience)

    async def _look_at(self, figure: str, changes: dict[tuple[str, str], Any]) -> None:
        """What opens a figure, which must be made again and tell of the traced token."""
        before = self.page[figure, "figure"]
        await self.page.change(changes, self.patience)
        self.check()
        drawn = self.page[figure, "figure"]
        if drawn is before:
            raise PageError(f"no {figure} was drawn")
        traced = self._chips()[self._position()]
        if traced not in json.dumps(drawn, ensure_ascii=False):
            raise Crossed(f"the {figure} does not tell of {traced!r}")

    async def export(self) -> None:
        """The graph as a JSON document."""
        asked = {"kept": "json", "look": {}, "asked": time.time_ns() // 10**6}
        await self.page.change({(ids.EXPORT, "data"): asked}, self.patience)
        document = json.loads(self.page[ids.DOWNLOAD, "data"]["content"])
        graph, view = document["graph"], self.page[ids.VIEW, "data"]
        made_by = graph["model"]["name"], graph["model"]["weights_sha256"]
        if made_by != (self._model, view["weights"]):
            raise Crossed(f"saved a document of {made_by}, not of {self._model!r}")
        if graph["request"]["prompt"] != self._prompt:
            raise Crossed(f"saved the document of {graph['request']['prompt']!r}")
        if graph["request"].get("target") != view["request"].get("target"):
            raise Crossed(f"saved a document of the target {graph['request'].get('target')!r}")
        text = "".join(visible(token["text"]) for token in graph["tokens"])
        if text != visible(self._prompt):
            raise Crossed(f"saved a document with the tokens {text!r}")
        missing = set(view["opened"]) - {node["id"] for node in document["nodes"]}
        if missing:
            raise Crossed(f"opened, and not in the document: {sorted(missing)}")
        self._document = {"key": view["key"], "nodes": {n["id"]: n for n in document["nodes"]}}

    # ------------------------------------------------------------------ checks

    def check(self) -> None:
        """That no problem is told, and that all that is shown is of this client's own prompt.

        Raises:
            PageError: a problem is told; everything that is asked for here can be had.
            Crossed: something shown is of another prompt.
        """
        problem = self.page[ids.PROBLEM, "children"]
        if problem and not self.page[ids.PROBLEM, "hidden"]:
            raise PageError(f"the app says: {problem}")
        view = self.page[ids.VIEW, "data"]
        if view is None:
            raise PageError("nothing is shown")
        shown = view["request"]["prompt"]
        if shown != self._prompt:
            raise Crossed(f"the view is of {shown!r}, not of {self._prompt!r}")
        answered = view["request"].get("model")
        if answered != self._model:
            raise Crossed(f"the view is of model {answered!r}, not of {self._model!r}")
        if self.digests.setdefault(answered, view["weights"]) != view["weights"]:
            raise Crossed(f"the view is of other weights than {answered!r} has")
        chips = self._chips()
        tokens = "".join(chips)
        if tokens != visible(self._prompt):
            raise Crossed(f"the tokens are {tokens!r}, not those of {self._prompt!r}")
        for element in self.page[ids.GRAPH, "elements"]:
            data = element["data"]
            if data.get("frame") == "row":
                position = int(data["id"].removeprefix("row"))
                if position >= len(chips) or data["label"] != chips[position]:
                    raise Crossed(f"row {position} is of {data['label']!r}")

    def check_inspected(self, node: str) -> None:
        """That the inspector shows a node of this client's own graph.

        Raises:
            Crossed: it shows another node, or another graph's.
        """
        panel = list(parts(self.page[ids.INSPECTOR_PANELS, "data"]))
        shown = [text_of(part) for part in panel if _is(part, "node-id")]
        if shown[:1] != [node]:
            raise Crossed(f"the inspector shows {shown[:1]}, not {node}")
        position = int(node.rsplit("@", 1)[1])
        words = {text_of(part) for part in panel if _is(part, "token")}
        if self._chips()[position] not in words:
            raise Crossed(f"the inspector's {node} is not at this prompt's token {position}")
        known = self._document if self.page[ids.TAB, "data"] in (None, "words") else None
        if known and known["key"] == self.page[ids.VIEW, "data"]["key"] and node in known["nodes"]:
            top = {visible(token["text"]) for token in known["nodes"][node].get("top", [])}
            if not top <= words:
                raise Crossed(f"{node} says {sorted(words)} here and {sorted(top)} in the document")

    # ------------------------------------------------------------------ parts

    def new_prompt(self) -> str:
        """A prompt with this client's word in it, most likely one that was never traced."""
        return self.random.choice(PATTERNS).format(
            word=self.word,
            place=self.random.choice(PLACES),
            name=self.random.choice(NAMES),
            n=self.random.randrange(2, 1000),
        )

    def _any_model(self) -> str:
        return self.random.choice(self.models) if self.models else self._model

    async def _ask(
        self,
        prompt: str,
        *,
        model: str | None = None,
        target: str = "",
        position: int | None = None,
    ) -> None:
        key, self._model = self.page[ids.VIEW, "data"]["key"], model or self._model
        await self.page.change(self._trace_of(prompt, target, position), self.patience)
        self._prompt, self._document = prompt, None
        if self.page[ids.VIEW, "data"]["key"] == key and not self.page[ids.PROBLEM, "children"]:
            raise PageError("a trace that nobody cancelled came to nothing")

    def _trace_of(
        self, prompt: str, target: str = "", position: int | None = None
    ) -> dict[tuple[str, str], Any]:
        self._clicks = (self.page[ids.TRACE, "n_clicks"] or 0) + 1
        chosen = None
        if position is not None:
            chosen = {"prompt": prompt, "model": self._model, "position": position}
        return {
            (ids.PROMPT, "value"): prompt,
            (ids.MODEL, "value"): self._model,
            (ids.TARGET, "value"): target,
            (ids.POSITION, "data"): chosen,
            (ids.TRACE, "n_clicks"): self._clicks,
        }

    def _chips(self) -> list[str]:
        """The prompt's tokens as the page shows them, by position."""
        chips = {
            int(part["attributes"]["data-position"]): text_of(part)
            for part in parts(self.page[ids.GRAPH_PANELS, "data"])
            if "data-position" in part["attributes"]
        }
        return [chips[position] for position in sorted(chips)]

    def _position(self) -> int:
        """The traced position as the page marks it."""
        (traced,) = (
            part["attributes"]["data-position"]
            for part in parts(self.page[ids.GRAPH_PANELS, "data"])
            if _is(part, "is-traced") and "data-position" in part["attributes"]
        )
        return int(traced)

    def _nodes(self) -> list[dict[str, Any]]:
        elements = self.page[ids.GRAPH, "elements"]
        return [element["data"] for element in elements if "family" in element["data"]]

    async def _leave(self) -> None:
        if self._page is not None:
            await self._page.close()
            self._page = None


def marker(number: int) -> str:
    """A client's own word: capitalised, made of letters, no other's, in no other's."""
    consonants, vowels = "bdfgklmnprstvz", "aeiou"
    letters = ["Q"]
    for _ in range(3):
        number, one = divmod(number, len(consonants))
        number, other = divmod(number, len(vowels))
        letters += [vowels[other], consonants[one]]
    return "".join(letters)


def parts(said: Any) -> Iterator[dict[str, Any]]:
    """Every element of a panel's trees, wherever in the data they are."""
    if isinstance(said, list):
        for one in said:
            yield from parts(one)
    elif isinstance(said, dict):
        if "tag" in said and "attributes" in said:
            yield said
            yield from parts(said["children"])
        else:
            for one in said.values():
                yield from parts(one)


def text_of(part: Any) -> str:
    """The text of a panel's element."""
    if isinstance(part, str):
        return part
    return "".join(map(text_of, part["children"]))


def _is(part: dict[str, Any], name: str) -> bool:
    return name in part["attributes"].get("class", "").split()
