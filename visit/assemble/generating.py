"""Request -> Generation: what the model goes on with, or what it made of a given text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from visit import __version__
from visit.assemble.residency import Resident
from visit.engine.generating import Generate, stage_of
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.graph.flow import Token, TokenProbability
from visit.graph.generation import Ending, Generation, Sampling, Step
from visit.graph.request import Request, check_text
from visit.models.tokens import Tokens
from visit.text import join_neighbours
from visit.tracing.generation import Taken, generate, read_taken, stop_ids

_N_SAID = 16
"""How many of the latest tokens a stage says: progress is told of each token anew."""


def continue_text(question: Generate, resident: Resident, tell: Progress) -> Generation:
    """The continuation: what is given of it, then what the model takes.

    Raises:
        RequestError: prompt and continuation together are longer than the model reads.
        ModelError: what it computes is not finite.
    """
    check_text(question.request)
    check_text(Request("of the model", target=question.given))
    tokens = resident.tokens.read(question.request)
    given = question.given_ids or resident.tokens.continued(question.request, question.given)
    _check_length(tokens, given, question.count, resident)
    ids = tuple(token.id for token in tokens)
    steps = _read_given(ids, given, question.request, resident, tell)
    model, taken = resident.loaded.model, list[Taken]()
    sampling = Sampling(question.temperature, question.top_p, question.seed)
    if question.count:

        def take(one: Taken) -> None:
            taken.append(one)
            said = join_neighbours(resident.tokens.texts(each.id for each in taken[-_N_SAID:]))
            tell(stage_of(said), len(taken) / question.count)

        tell(stage_of(""), 0.0)
        generate(model, (*ids, *given), question.count, sampling, take)
        steps += [_step(one, resident.tokens) for one in taken]
    return Generation(
        visit_version=__version__,
        request=resident.tokens.spell_out(question.request),
        model=resident.info,
        tokens=tokens,
        sampling=sampling,
        steps=tuple(steps),
        ending=Ending.EOS if steps[-1].id in stop_ids(model) else Ending.COUNT,
    )


def _check_length(
    tokens: Sequence[Token], given: Sequence[int], count: int, resident: Resident
) -> None:
    """Refuse what the model could not read to its end, and so not explain.

    Raises:
        RequestError: it is longer, or there is nothing to go on from or to read.
    """
    if not tokens:
        raise RequestError("the prompt has no token; give at least one token of text")
    if not given and not count:
        raise RequestError("the given continuation has no token; give at least one token of text")
    allowed = resident.loaded.architecture.sizes.n_context
    wanted = len(tokens) + len(given) + count
    if wanted > allowed:
        left = allowed - len(tokens) - len(given)
        raise RequestError(
            f"the text would be {wanted} tokens long; {resident.info.name} reads {allowed} at "
            + (f"most: ask for {left} new ones or fewer" if left > 0 else "most: shorten it")
        )


def _read_given(
    ids: tuple[int, ...],
    given: Sequence[int],
    request: Request,
    resident: Resident,
    tell: Progress,
) -> list[Step]:
    """What the model made of tokens that it did not take: one pass over all of them."""
    if not given:
        return []
    whole = replace(request, prompt="", prompt_ids=(*ids, *given), bos=None, chat=False)
    trace = resident.trace(whole, tell)
    read = read_taken(trace.logits[len(ids) - 1 : -1], given)
    return [_step(one, resident.tokens, given=True) for one in read]


def _step(taken: Taken, tokens: Tokens, *, given: bool = False) -> Step:
    return Step(
        taken.id,
        tokens.text(taken.id),
        taken.prob,
        taken.rank,
        tuple(TokenProbability(id_, tokens.text(id_), prob) for id_, prob in taken.others),
        given,
    )
