"""The atlas: what every memory, attention neuron and bias of a model says, kept on the disk.

Rows of the weights say the same whatever the prompt is, so they are measured once for all: the
whole of them by ``build``, or just those that graphs came upon, by ``keep``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from jaxtyping import Bool
from torch import Tensor

from visit.errors import OutputError, RequestError
from visit.graph.flow import ModelInfo, NodeKind
from visit.lens.atlas.build import AtlasFiles, Cost
from visit.lens.atlas.folders import cache_folder, folder_name, identity
from visit.lens.atlas.row_cache import RowCache
from visit.lens.atlas.search import Found, Searcher
from visit.lens.atlas.segment import DamagedError
from visit.lens.measured import Measured
from visit.lens.projector import Projector
from visit.lens.readings import Reader
from visit.models.architectures import Architecture
from visit.models.rows import KINDS, RowId, parts
from visit.models.tokens import Tokens
from visit.text import duration, size
from visit.tracing.precision import reading_dtype

BUILT_UNASKED = 10**11
"""Multiplications that a build may take to be done when it is first needed: some ten seconds."""


class Atlas:
    """One model's atlas.

    Args:
        info: The model; its weights' hash is a part of what names the folder.
        architecture: The model, laid open.
        tokens: Its tokens.
        projector: What measures its rows.
        root: The folder of all atlases; the user's cache folder when left out.
    """

    def __init__(
        self,
        info: ModelInfo,
        architecture: Architecture,
        tokens: Tokens,
        projector: Projector,
        root: Path | None = None,
    ) -> None:
        self._info, self._architecture, self._tokens = info, architecture, tokens
        who = identity(info, architecture, tokens)
        self.folder = (cache_folder() if root is None else root) / folder_name(who)
        unembedding = architecture.unembedding
        like = unembedding.new_empty(0, dtype=reading_dtype(unembedding.dtype))
        self._files = AtlasFiles(self.folder, who, architecture, projector)
        self._cache = RowCache(self.folder, who, like, architecture.sizes.d_vocab)
        self._searcher = Searcher(
            self._files, architecture, projector, Reader(projector, tokens, kept_bytes=0)
        )

    def lookup(self, keys: Sequence[bytes], top_k: int) -> tuple[Bool[Tensor, " key"], Measured]:
        """What is kept of some rows that graphs needed, with their codes.

        Args:
            keys: Digests of any vectors, ``KEY_BYTES`` long each.
            top_k: How many tokens must be listed at either end, or all there are.

        Returns:
            Which vectors were found, and those measured, in the same order.
        """
        return self._cache.lookup(keys, top_k)

    def keep(self, keys: Sequence[bytes], measured: Measured) -> bool:
        """Keep rows that were measured. Never fails: what cannot be written is logged once.

        Args:
            keys: Digests of as many vectors as were measured, each once.
            measured: What they say.
        """
        return self._cache.keep(keys, measured)

    @property
    def n_rows(self) -> int:
        """How many rows a whole atlas has, either direction of a row for itself."""
        return self._files.n_rows(list(parts(self._architecture)))

    @property
    def n_multiplications(self) -> int:
        """What measuring all of them takes."""
        sizes = self._architecture.sizes
        return self.n_rows * sizes.d_model * sizes.d_vocab

    def is_whole(self) -> bool:
        """Whether every row's reading is there, so that it can be searched."""
        return not self._files.missing()

    def is_quick(self) -> bool:
        """Whether the whole of it takes so little that it is built when it is first needed."""
        return self.n_multiplications <= BUILT_UNASKED

    def estimate(self) -> Cost:
        """What building the rest would take, by the time that a few rows take."""
        return self._files.estimate()

    def build(self, on_part: Callable[[float], None] = lambda part: None) -> Cost:
        """Measure and keep every row that is not there yet.

        Args:
            on_part: Called with the part of it that is done, 0 to 1; what it raises ends the
                build, and the next one goes on from there.

        Raises:
            OutputError: the folder cannot be written.
        """
        try:
            cost = self._files.build(on_part)
            (self.folder / "about.json").write_text(json.dumps({"model": self._info.name}))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(
                f"the atlas {self.folder} cannot be written: {reason}; set VISIT_CACHE to a folder "
                "that can be"
            ) from None
        return cost

    def search(
        self, token: str | int, kinds: Sequence[NodeKind] = KINDS, count: int = 20
    ) -> tuple[tuple[Found, ...], tuple[Found, ...]]:
        """The rows that promote a token, strongest first, and those that suppress it.

        They are those that give it the highest probability, and those with its lowest logit.

        Args:
            token: Its text, leading space and all, or its id.
            kinds: The kinds of rows to look among.
            count: How many of either.

        Raises:
            RequestError: the model has no such token, or the atlas is not built.
        """
        token_id = self._tokens.named(token, "token")
        try:
            return self._searcher.token(token_id, kinds, count)
        except DamagedError:
            raise self._not_built() from None

    def like(
        self, row: RowId | str, kinds: Sequence[NodeKind] = KINDS, count: int = 20
    ) -> tuple[Found, ...]:
        """The rows that say what a row says, closest first, by their logits' correlation.

        Args:
            row: The row, or its name, such as ``L3.memory150`` or ``-L2.attn_neuron7``.
            kinds: The kinds of rows to look among.
            count: How many.

        Raises:
            RequestError: there is no such row, or the atlas is not built.
        """
        asked = RowId.parse(row) if isinstance(row, str) else row
        try:
            return self._searcher.like(asked, kinds, count)
        except DamagedError:
            raise self._not_built() from None

    def _not_built(self) -> RequestError:
        name, cost = self._info.name, self.estimate()
        return RequestError(
            f"the atlas of {name} is not built; visit atlas build --model {name} takes about "
            f"{duration(cost.seconds)} and {size(cost.bytes)}, once"
        )
