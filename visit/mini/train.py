"""Trains `mini` and its tokenizer from nothing: `python -m visit.mini.train`.

Hidden matrices are trained with Muon, all the rest with AdamW; learning rates rise, stay and
fall to zero over a fixed number of steps. The files are written in half precision.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import AdamW, Muon, Optimizer
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from visit.mini import FOLDER
from visit.mini.batches import Batch, batches
from visit.mini.corpus import documents
from visit.mini.heldout import TASKS, quick
from visit.mini.measure import accuracy, verdicts
from visit.mini.model import Recipe, load_weights, new_model, save
from visit.mini.tokenizer import CONTEXT, train_tokenizer

DOCUMENTS_A_STEP: Final = 120
"""About how many documents a step uses up."""

FINISHING_STEPS: Final = 400
"""After the plan's end, so many steps more with fresh optimizers: numbers want them."""

FINISHING_TIME: Final = 1 / 7
"""The part of the time that they may take."""

REPORT_EVERY: Final = 20
SAVE_EVERY: Final = 200


def optimizers(model: GPT2LMHeadModel, recipe: Recipe) -> tuple[Optimizer, Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for embeddings, biases and norms.

    Every parameter group remembers its highest learning rate as "highest".
    """
    hidden = [p for name, p in model.named_parameters() if ".h." in name and p.ndim == 2]
    positions = [model.transformer.wpe.weight]
    apart = {id(parameter) for parameter in (*hidden, *positions)}
    others = [parameter for parameter in model.parameters() if id(parameter) not in apart]
    muon = Muon(
        hidden,
        lr=recipe.muon_rate,
        weight_decay=recipe.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = AdamW(
        [
            {"params": others, "lr": recipe.adam_rate},
            {"params": positions, "lr": recipe.position_rate},
        ],
        betas=(0.9, 0.98),
        weight_decay=0.0,
    )
    for group in (*muon.param_groups, *adam.param_groups):
        group["highest"] = group["lr"]
    return muon, adam


def rate_factor(progress: float, recipe: Recipe, begun: float = 0.0) -> float:
    """The learning rate at that part of the way, as a part of its highest value.

    `begun` is the part of the way at which the optimizers started.
    """
    rising = (progress - begun) / recipe.warm_up
    falling = (1.0 - progress) / recipe.decay
    return max(0.0, min(1.0, rising, falling))


def weighted_loss(model: GPT2LMHeadModel, batch: Batch) -> Tensor:
    """Mean loss over the tokens that count, by their weights, in nats."""
    counts = batch.weights > 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model.transformer(
            input_ids=batch.inputs,
            position_ids=batch.positions,
            attention_mask=batch.mask.to(torch.bfloat16),
        ).last_hidden_state
        logits = model.lm_head(hidden[counts])
    losses = F.cross_entropy(logits.float(), batch.targets[counts], reduction="none")
    weights = batch.weights[counts]
    return (losses * weights).sum() / weights.sum()


def stepped(
    model: GPT2LMHeadModel, both: Sequence[Optimizer], batch: Batch, factor: float
) -> float:
    """Train on one batch at that part of the highest rates; the loss before the step."""
    loss = weighted_loss(model, batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in both:
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * factor
        optimizer.step()
        optimizer.zero_grad()
    return loss.item()


def look(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, n_probes: int) -> str:
    """A line of held-out accuracies on small samples, in the order of the tasks."""
    model.train(False)
    scores = [accuracy(list(verdicts(model, tokenizer, quick(t, n_probes)))) for t in TASKS]
    model.train()
    return " ".join(f"{score:.2f}" for score in scores)


def train(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    *,
    minutes: float,
    first_step: int = 0,
) -> None:
    """Train a model by the recipe and save it with its tokenizer.

    After `minutes` of wall time the learning rate has reached zero whatever the step, so that a
    slow machine ends with a finished model too. From a `first_step` on, the model in the folder
    is trained further; its optimizers start afresh.
    """
    model = new_model(recipe, tokenizer)
    if first_step:
        load_weights(model, folder)
    print(f"{len(tokenizer)} tokens, {model.num_parameters() / 1e6:.2f} M parameters", flush=True)
    both = optimizers(model, recipe)
    texts = documents(recipe.seed, first_step * DOCUMENTS_A_STEP)
    stream = batches(texts, tokenizer, context=CONTEXT, n_rows=recipe.n_rows)
    losses: list[float] = []
    start, begun = time.monotonic(), first_step / recipe.n_steps
    for step, batch in enumerate(stream, first_step):
        by_clock = begun + (1.0 - begun) * (time.monotonic() - start) / (60 * minutes)
        progress = max(step / recipe.n_steps, by_clock)
        if progress >= 1.0:
            break
        losses.append(stepped(model, both, batch, rate_factor(progress, recipe, begun)))
        if len(losses) % REPORT_EVERY == 0:
            mean = sum(losses[-REPORT_EVERY:]) / REPORT_EVERY
            speed = len(losses) * batch.inputs.numel() / (time.monotonic() - start)
            print(f"step {step + 1} loss {mean:.3f} {speed:.0f} tok/s", flush=True)
        if len(losses) % SAVE_EVERY == 0:
            save(model, tokenizer, folder)
            print(f"held out: {look(model, tokenizer, 48)}", flush=True)
    save(model, tokenizer, folder)
    spent, n_tokens = (time.monotonic() - start) / 60, len(losses) * recipe.n_rows * CONTEXT
    print(json.dumps({"steps": len(losses), "minutes": round(spent, 1), "tokens": n_tokens}))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m visit.mini.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the model's files")
    parser.add_argument("--minutes", type=float, default=55.0, help="wall time it may take")
    parser.add_argument(
        "--steps", type=int, help="stop here, with no finishing (default: the plan, finished)"
    )
    parser.add_argument(
        "--first-step", type=int, default=0, help="train the model in --out further from here"
    )
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    whole = chosen.steps is None
    steps = Recipe.n_steps if whole else chosen.steps
    last = steps + FINISHING_STEPS
    sittings = [(chosen.first_step, steps, 1 - FINISHING_TIME), (steps, last, FINISHING_TIME)]
    tokenizer = train_tokenizer(Recipe.seed)
    for first_step, n_steps, part in sittings if whole else [(chosen.first_step, steps, 1.0)]:
        train(
            Recipe(n_steps=n_steps),
            tokenizer,
            chosen.out,
            minutes=chosen.minutes * part,
            first_step=first_step,
        )


if __name__ == "__main__":
    main()
