"""What every family must tell of its models, in one orientation and one vocabulary.

A family is one function that takes a loaded Hugging Face model and returns its ``Architecture``:
which submodules to watch, and the weights as ``x @ W`` with one axis a head. GPT-2 keeps its
weights as ``Conv1D`` (``x @ W`` already, queries, keys and values fused), most others as
``nn.Linear`` (``x @ W.T``); no room but this one knows of it. All weights are views, never copies,
except where a model is offloaded or packed (``elsewhere``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Sizes:
    """How big the model is, in design.md's words; ``n_context`` is the longest prompt.

    ``n_experts`` is how many experts a mixture chooses from and ``n_routed`` how many of them each
    position is routed to. ``d_mlp`` is then the width of the dense layers' MLPs, or where all
    layers are mixtures that of one expert.
    """

    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    d_vocab: int
    n_context: int
    n_experts: int | None = None
    n_routed: int | None = None


@dataclass(frozen=True, slots=True)
class Norm:
    """A LayerNorm or RMSNorm: its module, and what it does in numbers.

    Attributes:
        module: The model's own.
        gain: The factor on each coordinate, shape ``d_model``.
        bias: What is added last, shape ``d_model``, or ``None``.
        epsilon: Added to the mean square before the root.
        centers: Whether the mean is taken away first (LayerNorm does, RMSNorm does not).
    """

    module: nn.Module
    gain: Float[Tensor, " d_model"]
    bias: Float[Tensor, " d_model"] | None
    epsilon: float
    centers: bool

    def scale(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch 1"]:
        """What ``x``, once centred, is multiplied by before the gain: one over its spread."""
        if self.centers:
            x = x - x.mean(-1, keepdim=True)
        return torch.rsqrt((x * x).mean(-1, keepdim=True) + self.epsilon)

    def linear(
        self, part: Float[Tensor, "*batch d_model"], scale: Float[Tensor, "*batch_or_one 1"]
    ) -> Float[Tensor, "*batch d_model"]:
        """The norm of a part of a vector with the whole's scale frozen, without the bias.

        Linear in the part, so the parts of a whole stay parts of its norm.
        """
        if self.centers:
            part = part - part.mean(-1, keepdim=True)
        return part * scale * self.gain.to(part.dtype)

    def pulled_back(
        self, direction: Float[Tensor, "*batch d_model"]
    ) -> Float[Tensor, "*batch d_model"]:
        """A direction among normed vectors as the same direction among vectors not yet normed.

        The transpose of ``linear`` with a scale of 1: ``linear(x, 1) · direction = x · this``.
        """
        direction = direction * self.gain.to(direction.dtype)
        return direction - direction.mean(-1, keepdim=True) if self.centers else direction

    def __call__(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """The norm of any vectors, in their own dtype."""
        normed = self.linear(x, self.scale(x))
        return normed if self.bias is None else normed + self.bias.to(x.dtype)


@dataclass(frozen=True, slots=True)
class Attention:
    """One layer's attention: what to watch, and its weights.

    Attributes:
        module: Returns its output and the attention pattern.
        output: The output projection; its input is every head's ``z``, concatenated.
        w_q: The queries' weights.
        w_k: The keys'.
        w_v: The values'.
        w_o: The output's.
        b_q: The queries' bias, or ``None``; likewise ``b_k``, ``b_v`` and ``b_o``.
        score_scale: What a query-key product is multiplied by, mostly ``1/sqrt(d_head)``.
        rotary: Whether queries and keys are rotated before they meet.
        q_norm: Applied to the queries, head by head or to all at once, or ``None``.
        k_norm: Likewise to the keys.
        interleaved: Of what is rotated: whether each coordinate turns with its neighbour, rather
            than with the one half of them further on.
        alibi_scale: What the model's table of biases by position (ALiBi) is multiplied by before
            it is added to the scores; ``None`` where there is none.
        score_cap: The scores are ``c · tanh(scores / c)`` before the softmax, or ``None``.
    """

    module: nn.Module
    output: nn.Module
    w_q: Float[Tensor, "head d_model d_head"]
    w_k: Float[Tensor, "kv_head d_model d_head"]
    w_v: Float[Tensor, "kv_head d_model d_head"]
    w_o: Float[Tensor, "head d_head d_model"]
    b_q: Float[Tensor, "head d_head"] | None
    b_k: Float[Tensor, "kv_head d_head"] | None
    b_v: Float[Tensor, "kv_head d_head"] | None
    b_o: Float[Tensor, " d_model"] | None
    score_scale: float
    rotary: bool
    q_norm: Norm | None = None
    k_norm: Norm | None = None
    interleaved: bool = False
    alibi_scale: float | None = None
    score_cap: float | None = None

    def value(self, ln1: Float[Tensor, "*batch d_model"], head: int) -> Float[Tensor, "*batch _"]:
        """One head's value of what attention reads, in the dtype of ``ln1``."""
        shared = head * len(self.w_v) // len(self.w_q)  # GQA: several heads share one
        value = ln1 @ self.w_v[shared].to(ln1)
        return value if self.b_v is None else value + self.b_v[shared].to(ln1)


@dataclass(frozen=True, slots=True)
class Mlp:
    """One layer's MLP: what to watch, and its memories.

    A memory's key is a column of ``w_in`` and its value a row of ``w_out``. In a gated MLP, whose
    activation is ``act(gate) · up``, ``w_in`` is the gate: it decides whether the memory fires.
    In any other the activation is ``act(x @ w_in + b_in)``.

    Attributes:
        input: The input projection; its input is what the MLP reads.
        output: The output projection; its input is the memories' activations.
        w_in: The keys.
        w_out: The values.
        b_in: The keys' bias, or ``None``.
        b_out: The output's bias, or ``None``.
        act: The activation function.
        w_up: In a gated MLP, the weights of what the gate is multiplied with; else ``None``.
        b_up: Its bias, or ``None``.
    """

    input: nn.Module
    output: nn.Module
    w_in: Float[Tensor, "d_model d_mlp"]
    w_out: Float[Tensor, "d_mlp d_model"]
    b_in: Float[Tensor, " d_mlp"] | None
    b_out: Float[Tensor, " d_model"] | None
    act: Callable[[Tensor], Tensor]
    w_up: Float[Tensor, "d_model d_mlp"] | None = None
    b_up: Float[Tensor, " d_mlp"] | None = None


@dataclass(frozen=True, slots=True)
class Expert:
    """One expert of a mixture: a gated MLP without biases, ``(act(x w_gate) · x w_up) w_down``.

    Attributes:
        w_gate: What its gate reads.
        w_up: What the gate is multiplied with.
        w_down: What it writes.
        act: The gate's activation function.
    """

    w_gate: Float[Tensor, "d_model d_expert"]
    w_up: Float[Tensor, "d_model d_expert"]
    w_down: Float[Tensor, "d_expert d_model"]
    act: Callable[[Tensor], Tensor]

    def __call__(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """What it makes of what the mixture reads, before any weight, in the dtype of ``x``."""
        hidden = self.act(x @ self.w_gate.to(x)) * (x @ self.w_up.to(x))
        return hidden @ self.w_down.to(x)


@dataclass(frozen=True, slots=True)
class SharedExpert:
    """The expert that every position goes through, weighted by ``sigmoid(x · gate)``."""

    expert: Expert
    gate: Float[Tensor, " d_model"]

    def weight(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch"]:
        """Its weight, 0 to 1, in the dtype of ``x``."""
        return torch.sigmoid(x @ self.gate.to(x))


Routing = tuple[Float[Tensor, "pos routed"], Int[Tensor, "pos routed"]]
"""The weights of the experts that each position is routed to, and their numbers."""


@dataclass(frozen=True, slots=True)
class Experts:
    """One layer's mixture of experts, in place of an MLP.

    ``mlp = Σ over routed experts: weight · expert(ln2) (+ shared weight · shared expert(ln2))``

    Attributes:
        module: Its input is what the mixture reads, its output what it writes.
        router: Chooses each position's experts.
        routing: What the router chose, read from the router's own output.
        experts: All of them, by number.
        shared: The one that is never chosen but always there, or ``None``.

    Source: Shazeer et al. 2017, equation 1; Jiang et al. 2024, "Mixtral of Experts", section 2.1.
    """

    module: nn.Module
    router: nn.Module
    routing: Callable[[Any], Routing]
    experts: tuple[Expert, ...]
    shared: SharedExpert | None

    @property
    def input(self) -> nn.Module:
        """The module whose input is what the mixture reads."""
        return self.module

    @property
    def output(self) -> nn.Module:
        """The module whose output is what the mixture writes."""
        return self.module


@dataclass(frozen=True, slots=True)
class Block:
    """One layer.

    Sequential: ``resid_mid = resid_pre + attn``, ``resid_post = resid_mid + mlp``. Parallel:
    ``resid_post = resid_pre + attn + mlp``, both reading the residual that enters.

    Attributes:
        module: The layer; takes resid_pre and returns resid_post.
        ln1: What attention reads the residual through, or ``None`` where it reads it as it is.
        attention: Its attention.
        ln2: What the MLP reads the residual through, or ``None``; may be ``ln1`` itself where a
            parallel layer has one norm for both.
        mlp: Its MLP, or the mixture of experts in its place.
        parallel: Whether attention and MLP stand side by side.
        attn_norm: What attention's output goes through before it is added, or ``None``.
        mlp_norm: Likewise the MLP's.
        write_scale: What both outputs are multiplied by before they are added.
    """

    module: nn.Module
    ln1: Norm | None
    attention: Attention
    ln2: Norm | None
    mlp: Mlp | Experts
    parallel: bool = False
    attn_norm: Norm | None = None
    mlp_norm: Norm | None = None
    write_scale: float = 1.0


class BlocksOnDemand:
    """The layers of an offloaded or packed model; each is fetched when it is asked for.

    Attributes:
        outline: The layers with their modules and vectors, and of matrices the shapes alone.
    """

    def __init__(self, outline: tuple[Block, ...], load: Callable[[int], Block]) -> None:
        self.outline = outline
        # A layer is asked for several times in a row: its sources, then its inside.
        self._load = lru_cache(maxsize=1)(load)

    def __len__(self) -> int:
        return len(self.outline)

    def __getitem__(self, layer: int) -> Block:
        return self._load(range(len(self))[layer])

    def __iter__(self) -> Iterator[Block]:
        return map(self._load, range(len(self)))


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model laid open: its layers in order and its lens (final norm, then unembedding).

    Attributes:
        family: The family's name, as ``visit models`` lists it.
        sizes: How big it is.
        blocks: Its layers.
        final_norm: Applied to the last residual.
        unembedding: From the normed residual to logits.
        unembedding_bias: Added to the logits, or ``None``.
        logit_scale: What the product with the unembedding is multiplied by.
        soft_cap: The logits are ``c · tanh(logits / c)`` in the end, or ``None``. Direct logits
            add up to the logit before it.
    """

    family: str
    sizes: Sizes
    blocks: tuple[Block, ...] | BlocksOnDemand
    final_norm: Norm
    unembedding: Float[Tensor, "d_model d_vocab"]
    unembedding_bias: Float[Tensor, " d_vocab"] | None
    logit_scale: float = 1.0
    soft_cap: float | None = None

    @property
    def outline(self) -> tuple[Block, ...]:
        """Its layers for their modules, vectors and shapes; their matrices may hold no numbers."""
        return self.blocks.outline if isinstance(self.blocks, BlocksOnDemand) else self.blocks

    def logits_of_tokens(
        self, normed: Float[Tensor, "pair d_model"], token_ids: Int[Tensor, " pair"]
    ) -> Float[Tensor, " pair"]:
        """The logit of one token each, of residuals that went through the final norm."""
        products = (normed * self.unembedding.T[token_ids]).sum(-1)
        bias = self.unembedding_bias
        return self.logits_from(products, None if bias is None else bias[token_ids])

    def logits_from(
        self, products: Float[Tensor, "*any"], bias: Float[Tensor, "*tokens"] | None
    ) -> Float[Tensor, "*any"]:
        """Products with the unembedding made logits, in place: scaled, biased, soft-capped.

        Args:
            products: Of normed residuals and columns of the unembedding.
            bias: The unembedding's, of the same tokens.
        """
        logits = products
        if self.logit_scale != 1:
            logits = logits.mul_(self.logit_scale)
        if bias is not None:
            logits = logits.add_(bias)
        if self.soft_cap is not None:
            logits = logits.div_(self.soft_cap).tanh_().mul_(self.soft_cap)
        return logits

    def before_soft_cap(self, logits: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """The logits that the soft-cap, if there is one, made these of.

        One is infinite where the model's dtype rounded the capped logit to the cap itself, which
        half precision does well before it: no finite logit is known to be the one.
        """
        if self.soft_cap is None:
            return logits
        return (logits / self.soft_cap).clamp(-1, 1).atanh() * self.soft_cap


@dataclass(frozen=True, slots=True)
class Family:
    """A family of architectures that visit can take apart exactly.

    Attributes:
        name: As users say it.
        note: Who belongs to it, in a few words.
        model_types: The ``config.model_type`` values it answers to.
        lay_open: Makes a model's ``Architecture``.
        limits: What is not taken apart in its models, or ``None``; shown wherever they are.
    """

    name: str
    note: str
    model_types: tuple[str, ...]
    lay_open: Callable[[Any], Architecture]
    limits: str | None = None
