"""The whole atlas: what every row says, measured once, in a file for each layer, kind and sign.

A build may be interrupted at any moment and continued later, or run twice at once: a file is there
whole or not at all, its bytes are the same in every process that measures it, and a file that is
there is not measured again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from visit.graph.flow import NodeKind
from visit.lens.atlas.logit_spread import Gram
from visit.lens.atlas.segment import SUFFIX, DamagedError, Segment, sweep, write_segment
from visit.lens.projector import Projector
from visit.models.architectures import Architecture
from visit.models.rows import KINDS, RowId, n_rows, parts, vectors
from visit.tracing.precision import ledger_dtype

TOP_K = 10
"""How many tokens a whole atlas lists at either end of a reading."""

_AT_ONCE = 512
_TRIED = 128
"""Rows that are measured to say how long a build will take."""

Part = tuple[int, NodeKind, int]
"""A layer, a kind and a sign: what one file holds."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a build takes, or took.

    Attributes:
        rows: That it measures.
        bytes: Of the whole atlas.
        seconds: Of the build.
    """

    rows: int
    bytes: int
    seconds: float


class AtlasFiles:
    """The files of a whole atlas in one folder."""

    def __init__(
        self, folder: Path, identity: str, architecture: Architecture, projector: Projector
    ) -> None:
        self._folder, self._identity = folder, identity
        self._architecture, self._projector = architecture, projector
        self._segments: dict[Part, Segment] = {}
        self._sizes = {
            (layer, kind): n_rows(architecture, kind, layer)
            for layer in range(architecture.sizes.n_layers)
            for kind in KINDS
        }

    def missing(self) -> list[Part]:
        """What is not there, or is damaged."""
        return [part for part in parts(self._architecture) if self._segment(part) is None]

    def n_rows(self, some: Sequence[Part]) -> int:
        """How many rows some files hold, each sign for itself."""
        return sum(self._sizes[part[:2]] for part in some)

    def build(self, on_part: Callable[[float], None]) -> Cost:
        """Measure and keep what is missing.

        Args:
            on_part: Called with the part of the missing that is done, 0 to 1; what it raises ends
                the build, and the next one goes on from there.

        Raises:
            OSError: the folder cannot be written.
        """
        began = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        sweep(self._folder)
        missing = self.missing()
        # Two processes at once go in different orders, so that they seldom do the same part twice.
        random.SystemRandom().shuffle(missing)
        total, done, measured = self.n_rows(missing), 0, 0
        gram = cache(lambda: Gram.of(self._architecture))  # seconds, and none where all is there
        for part in missing:
            size = self._sizes[part[:2]]
            if self._segment(part) is None:

                def tell(of_part: float, done: int = done, size: int = size) -> None:
                    on_part((done + of_part * size) / total)

                tensors = self._measure(part, gram(), tell)
                write_segment(self._path(part), self._words(part), tensors)
                measured += size
            done += size
        n_bytes = sum(self._path(part).stat().st_size for part in parts(self._architecture))
        return Cost(measured, n_bytes, time.monotonic() - began)

    def estimate(self) -> Cost:
        """What building would take: a few rows are measured, and their time is scaled up."""
        missing, every = self.missing(), list(parts(self._architecture))
        part = max(missing or every, key=lambda part: self._sizes[part[:2]])
        rows = self._rows(part)[:_TRIED]
        self._projector.measure(rows[:8], TOP_K)  # the first product of a process is slow
        began = time.monotonic()
        self._projector.measure(rows, TOP_K)
        seconds = (time.monotonic() - began) / len(rows) * self.n_rows(missing)
        listed = min(TOP_K, self._projector.d_vocab)
        wide = ledger_dtype(rows).itemsize
        a_row = 2 * listed * (4 + rows.itemsize) + 2 * rows.itemsize + 2 * wide
        return Cost(self.n_rows(missing), a_row * self.n_rows(every), seconds)

    def segments(self, kinds: Sequence[NodeKind]) -> Iterator[tuple[Part, Segment]]:
        """The files of some kinds, in order; all must be there.

        Raises:
            DamagedError: one is not.
        """
        for part in parts(self._architecture):
            if part[1] in kinds:
                segment = self._segment(part)
                if segment is None:
                    raise DamagedError(f"{self._path(part)} is not there")
                yield part, segment

    def at(self, row: RowId, name: str) -> Tensor:
        """What a tensor of its file holds of one row.

        Raises:
            DamagedError: the file is not there, or is damaged.
        """
        segment = self._segment((row.layer, row.kind, row.sign))
        if segment is None:
            raise DamagedError(f"the file of {row} is not there")
        return segment.read(name)[row.index]

    @torch.inference_mode()
    def _measure(self, part: Part, gram: Gram, tell: Callable[[float], None]) -> dict[str, Tensor]:
        """What the rows of one file say: the tensors of the file, a line for each row.

        ``top_ids``, ``top_logits``, ``bottom_ids``, ``bottom_logits``, ``log_total`` and
        ``entropy`` are the Projector's; ``scale`` is what the final norm multiplies the row by, and
        ``spread`` the standard deviation of its logits, both in the dtype of ledgers.
        """
        norm, blocks = self._architecture.final_norm, self._rows(part).split(_AT_ONCE)
        wide = ledger_dtype(self._architecture.unembedding)
        tensors: dict[str, list[Tensor]] = {}
        for number, block in enumerate(blocks):
            tell(number / len(blocks))
            measured = self._projector.measure(block, TOP_K)
            columns = {
                "top_ids": measured.top_ids.int(),
                "top_logits": measured.top_logits,
                "bottom_ids": measured.bottom_ids.int(),
                "bottom_logits": measured.bottom_logits,
                "log_total": measured.log_total,
                "entropy": measured.entropy,
                "scale": norm.scale(block.to(wide)).squeeze(-1),
                "spread": gram.spread(norm(block.to(wide))),
            }
            for name, column in columns.items():
                tensors.setdefault(name, []).append(column.cpu())
        return {name: torch.cat(columns).contiguous() for name, columns in tensors.items()}

    def _rows(self, part: Part) -> Float[Tensor, "row d_model"]:
        layer, kind, sign = part
        rows = self._projector.cast(vectors(self._architecture, kind, layer))
        return rows if sign > 0 else -rows

    def _segment(self, part: Part) -> Segment | None:
        """A file that is there and whole."""
        if part not in self._segments:
            try:
                segment = Segment(self._path(part), self._words(part))
                segment.check()
            except (DamagedError, OSError):
                return None
            self._segments[part] = segment
        return self._segments[part]

    def _path(self, part: Part) -> Path:
        layer, kind, sign = part
        side = "plus" if sign > 0 else "minus"
        return self._folder / f"L{layer:03}.{kind}.{side}{SUFFIX}"

    def _words(self, part: Part) -> str:
        layer, kind, sign = part
        return f"{self._identity} L{layer} {kind} {sign:+}"
