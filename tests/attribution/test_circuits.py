"""Pure tensor functions against laws and plain loops."""

from __future__ import annotations

import pytest
import torch

from visit.attribution import circuits


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_query_directions_give_the_models_own_scores():
    """GPT-2's w_k is square: only numbers, not shapes, catch a transpose."""
    x, w_k, q = draw(5, 12), draw(3, 12, 4, seed=1), draw(3, 4, seed=2)
    scores = torch.einsum("hd,hpd->hp", q, torch.einsum("pm,hmd->hpd", x, w_k))
    torch.testing.assert_close(
        circuits.query_directions(q, w_k) @ x.T, scores, rtol=1e-10, atol=1e-10
    )


def test_directions_refuse_head_counts_that_differ():
    with pytest.raises(ValueError, match="3 query heads but 2 key heads; repeat the key heads"):
        circuits.query_directions(draw(3, 4), draw(2, 12, 4))
    with pytest.raises(ValueError, match="2 key heads but 3 query heads; repeat the key heads"):
        circuits.key_directions(draw(2, 5, 4), draw(3, 12, 4))


def test_kv_heads_are_repeated_next_to_each_other():
    repeated = circuits.repeat_kv_heads(torch.tensor([[1.0], [2.0]]), 6)
    assert repeated.flatten().tolist() == [1, 1, 1, 2, 2, 2]


def test_kv_heads_that_do_not_divide_evenly_are_refused():
    with pytest.raises(ValueError, match="5 query heads cannot share 2 key-value heads"):
        circuits.repeat_kv_heads(draw(2, 3), 5)


def test_shares_of_parts_that_add_up_add_to_one():
    parts = draw(4, 7, 9)
    shares = circuits.shares(parts, parts.sum(1))
    torch.testing.assert_close(shares.sum(-1), torch.ones(4, dtype=torch.float64))


def test_a_part_against_the_whole_has_a_negative_share():
    whole = torch.tensor([2.0, 0.0])
    parts = torch.tensor([[3.0, 1.0], [-1.0, -1.0]])
    assert circuits.shares(parts, whole).tolist() == [1.5, -0.5]


def test_a_whole_of_zero_has_shares_of_zero():
    assert circuits.shares(torch.ones(3, 2), torch.zeros(2)).tolist() == [0, 0, 0]


def test_proximity_is_as_ferrando_and_voita_define_it():
    parts = draw(6, 5)
    whole = parts.sum(0)
    by_hand = [max(float(whole.abs().sum() - (whole - part).abs().sum()), 0.0) for part in parts]
    expected = torch.tensor(by_hand, dtype=torch.float64) / sum(by_hand)
    torch.testing.assert_close(circuits.proximities(parts, whole), expected)
    assert float(circuits.proximities(parts, whole).sum()) == pytest.approx(1)


def test_parts_no_closer_than_nothing_have_no_proximity():
    whole = torch.tensor([1.0, 1.0])
    assert circuits.proximities(-torch.ones(2, 2), whole).tolist() == [0, 0]


def test_the_strongest_come_first_and_no_more_than_there_are():
    strength = torch.tensor([0.1, 3.0, 2.0])
    assert circuits.strongest(strength, 2).tolist() == [1, 2]
    assert circuits.strongest(strength, 9).tolist() == [1, 2, 0]
    assert circuits.strongest(strength, 0).tolist() == []


def test_the_strongest_and_the_others_of_several_ledgers_are_those_of_each():
    strength = torch.tensor([[0.1, 3.0, 2.0, 5.0], [4.0, 0.2, 0.3, 0.1]])
    for count in (0, 2, 4, 9):
        chosen = circuits.strongest(strength, count)
        others = circuits.others(chosen, 4)
        for row in range(2):
            assert torch.equal(chosen[row], circuits.strongest(strength[row], count))
            assert sorted([*chosen[row].tolist(), *others[row].tolist()]) == [0, 1, 2, 3]
            assert others[row].tolist() == sorted(others[row].tolist())


def test_the_strongest_of_either_sign_never_cross_zero():
    signed = torch.tensor([0.5, -2.0, 0.0, 3.0, -1.0])
    assert circuits.strongest_of_either_sign(signed, 4, 1).tolist() == [3, 0, 1]
    assert circuits.strongest_of_either_sign(signed, 0, 4).tolist() == [1, 4]
