"""What a model goes on with, against transformers' own ``generate`` and plain passes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from specimens import MAKERS, TOKEN_IDS, Specimen, specimen
from transformers import GenerationConfig, set_seed

from visit.errors import Cancelled, ModelError
from visit.graph.generation import Sampling
from visit.tracing.generation import Taken, generate, read_taken, stop_ids

COUNT = 9


@pytest.fixture(params=sorted(MAKERS))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def by_transformers(model: Any, count: int = COUNT, **how: Any) -> list[int]:
    """The new tokens that transformers' ``generate`` makes by itself."""
    ids = torch.tensor([TOKEN_IDS])
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, pad_token_id=0, **how
    )
    return made[0, len(TOKEN_IDS) :].tolist()


def ids_of(taken: tuple[Taken, ...]) -> list[int]:
    return [one.id for one in taken]


def test_the_likeliest_tokens_are_transformers_own(tiny: Specimen):
    taken = generate(tiny.model, TOKEN_IDS, COUNT, Sampling())
    assert ids_of(taken) == by_transformers(tiny.model, do_sample=False)
    assert all(one.rank == 1 for one in taken)


@pytest.mark.parametrize(("temperature", "top_p", "seed"), [(1.0, 1.0, 3), (0.8, 0.7, 11)])
def test_drawn_tokens_are_those_that_transformers_draws_with_the_seed(
    tiny: Specimen, temperature: float, top_p: float, seed: int
):
    taken = generate(tiny.model, TOKEN_IDS, COUNT, Sampling(temperature, top_p, seed))
    set_seed(seed)
    drawn = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    assert ids_of(taken) == by_transformers(tiny.model, **drawn)


def test_each_token_bears_what_a_plain_pass_over_the_text_says_of_it(tiny: Specimen):
    taken = generate(tiny.model, TOKEN_IDS, COUNT, Sampling(1.0, 1.0, 5))
    whole = torch.tensor([[*TOKEN_IDS, *ids_of(taken)]])
    with torch.no_grad():
        logits = tiny.model(input_ids=whole, use_cache=False).logits[0]
    for place, one in enumerate(taken, start=len(TOKEN_IDS) - 1):
        probs = logits[place].softmax(-1)
        assert one.prob == pytest.approx(float(probs[one.id]), rel=1e-4)
        order = probs.argsort(descending=True, stable=True).tolist()
        assert order[one.rank - 1] == one.id
        others = [id_ for id_ in order[:10] if id_ != one.id][:9]
        assert [id_ for id_, _ in one.others] == others
        said = [prob for _, prob in one.others]
        assert said == pytest.approx(probs[others].tolist(), rel=1e-4)


def test_given_tokens_are_read_exactly(tiny: Specimen):
    logits = tiny.trace.logits
    read = read_taken(logits[:-1], TOKEN_IDS[1:])
    for place, one in enumerate(read):
        probs = logits[place].softmax(-1)
        assert one.id == TOKEN_IDS[place + 1]
        assert one.prob == pytest.approx(float(probs[one.id]), rel=1e-10)
        assert one.rank == 1 + int((probs > probs[one.id]).sum())


def test_a_token_that_ends_the_text_is_the_last():
    model = MAKERS["gpt2"]().eval()
    model.load_state_dict(specimen("gpt2").model.state_dict())
    free = ids_of(generate(model, TOKEN_IDS, COUNT, Sampling(1.0, 1.0, 2)))
    model.generation_config.eos_token_id = [60, free[3]]
    assert stop_ids(model) == (60, free[3])
    ended = ids_of(generate(model, TOKEN_IDS, COUNT, Sampling(1.0, 1.0, 2)))
    assert ended == free[: free.index(free[3]) + 1]


def test_what_a_models_own_settings_would_change_is_set_aside():
    tiny = specimen("gpt2")
    plain = generate(tiny.model, TOKEN_IDS, COUNT, Sampling())
    own = tiny.model.generation_config
    meddling: Any = GenerationConfig
    tiny.model.generation_config = meddling(
        do_sample=True, temperature=5.0, repetition_penalty=9.0, top_k=2, eos_token_id=0,
        min_new_tokens=2, suppress_tokens=[plain[0].id],
    )  # fmt: skip
    try:
        kept = tiny.model.generation_config
        assert ids_of(generate(tiny.model, TOKEN_IDS, COUNT, Sampling())) == ids_of(plain)
        assert tiny.model.generation_config is kept
    finally:
        tiny.model.generation_config = own


def test_each_token_is_told_as_it_is_taken_and_what_that_raises_ends_the_run():
    tiny = specimen("llama-gqa")
    own, before = tiny.model.generation_config, torch.get_rng_state()
    told: list[Taken] = []

    def take(one: Taken) -> None:
        told.append(one)
        if len(told) == 3:
            raise Cancelled("no longer wanted")

    with pytest.raises(Cancelled):
        generate(tiny.model, TOKEN_IDS, COUNT, Sampling(1.0, 1.0, 4), take)
    whole = generate(tiny.model, TOKEN_IDS, COUNT, Sampling(1.0, 1.0, 4))
    assert told == list(whole[:3])
    assert tiny.model.generation_config is own
    assert torch.equal(torch.get_rng_state(), before)


def test_logits_that_are_not_numbers_are_refused():
    model = MAKERS["gpt2"]().eval()
    with torch.no_grad():
        model.lm_head.weight[7, 0] = float("nan")
    with pytest.raises(ModelError, match="NaN after 0 new tokens; try --dtype float32"):
        generate(model, TOKEN_IDS, COUNT, Sampling())
