"""Where a text is most active, against every activation looked at one by one."""

from __future__ import annotations

import pytest
import torch
from specimens import STRUCTURES, TOKEN_IDS, Specimen, specimen
from torch import Tensor

from visit.explore import contexts
from visit.explore.contexts import find_peaks, heads_at
from visit.tracing.trace import Trace, record

TEXT = [*TOKEN_IDS, 8, 2, 51, 8, 33, 3, 14, 29, 40, 7, 11, 60]


@pytest.fixture(params=STRUCTURES)
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def pieces(tiny: Specimen, length: int) -> list[tuple[int, Trace]]:
    """The text, piece by piece, with where each begins."""
    return [
        (begin, record(tiny.model, tiny.architecture, TEXT[begin : begin + length]))
        for begin in range(0, len(TEXT), length)
    ]


def test_what_is_kept_are_the_highest_of_all_tokens_but_each_pieces_first(tiny, monkeypatch):
    monkeypatch.setattr(contexts, "PIECE", 8)
    monkeypatch.setattr(contexts, "N_KEPT", 5)
    told: list[float] = []
    found = find_peaks(tiny.model, tiny.architecture, TEXT, told.append)
    assert told[-1] == 1.0 and told == sorted(told)
    for layer, peaks in enumerate(found):
        every: dict[str, list[Tensor]] = {"memories": [], "negative": [], "heads": []}
        places = []
        for begin, trace in pieces(tiny, 8):
            recorded = trace.layers[layer]
            places += range(begin + 1, begin + len(trace.token_ids))
            if recorded.activation is not None:
                every["memories"] += list(recorded.activation[1:])
                every["negative"] += list(-recorded.activation[1:])
            written = torch.einsum(
                "phd,hdm->phm", recorded.z, tiny.architecture.blocks[layer].attention.w_o
            )
            if recorded.attn_gain is not None:
                written = written * recorded.attn_gain.unsqueeze(1)
            every["heads"] += list(written.norm(dim=-1)[1:])
        assert set(peaks.all) == {name for name, rows in every.items() if rows}
        for name, kept in peaks.all.items():
            values = torch.stack(every[name]).T.float()
            highest = values.topk(5, dim=1)
            torch.testing.assert_close(kept.values, highest.values, rtol=1e-6, atol=1e-6)
            at = torch.tensor(places)[highest.indices]
            distinct = highest.values.diff(dim=1).abs().min() > 0
            assert not distinct or torch.equal(kept.at.long(), at)


def test_a_head_is_said_to_read_what_it_attends_to_most():
    tiny = specimen("llama-gqa")
    norms, sources, attention = heads_at(tiny.architecture, tiny.trace, 1)
    pattern = tiny.trace.layers[1].attention
    for reader in range(len(TOKEN_IDS)):
        for head in range(norms.shape[1]):
            row = pattern[head, reader].tolist()
            assert float(attention[reader, head]) == max(row)
            assert row[reader - int(sources[reader, head])] == max(row)


def test_a_text_of_one_token_a_piece_has_nothing_to_read(monkeypatch):
    tiny = specimen("gpt2")
    monkeypatch.setattr(contexts, "PIECE", 2)
    found = find_peaks(tiny.model, tiny.architecture, TEXT[:3], lambda _: None)
    assert found[0].heads.at[0, 0] == 1 and found[0].heads.values[0, 1] == -torch.inf
