"""Words of what a part says through the lens, and what is explained."""

from __future__ import annotations

from visit.web.screen.meanings.word import Word

TOPIC = "What a part says"

WORDS = (
    Word(
        "lens",
        TOPIC,
        "The map from the residual space to the vocabulary: the final norm, then the unembedding, "
        "as if the vector were the last residual. Of the last residual it gives the model's own "
        "output.",
        "logits = final_norm(x) · W_U",
        also=("logit lens",),
    ),
    Word(
        "reading",
        TOPIC,
        "What a vector says through the lens: its most and least probable tokens, the probability "
        "and rank of the target, and its entropy. It describes the vector; later layers need not "
        "use it so.",
        also=("vocabulary projection",),
    ),
    Word(
        "target",
        TOPIC,
        "The token whose prediction is explained: the model's own most probable next token, unless "
        "another is chosen.",
        also=("answer token",),
    ),
    Word(
        "versus",
        TOPIC,
        "The token that the target is compared with: the B of “A vs B”. Its logit is taken off the "
        "target's, and the metric is the logit difference.",
        also=("foil", "contrast token"),
    ),
    Word(
        "logit",
        TOPIC,
        "A token's score before the softmax, in nats. Only differences matter: raising it by 1 "
        "multiplies the token's odds against any other by e, about 2.7.",
    ),
    Word(
        "metric",
        TOPIC,
        "What everything is explained towards: the target's logit, less the mean logit of others. "
        "By default these are the candidates (the choice); or one other token (a logit "
        "difference), the whole vocabulary (a centred logit), or none (the logit). What lifts all "
        "tokens alike contributes nothing to the first three.",
        "logit(target) − mean logit of the candidates",
        also=("choice", "centred logit"),
    ),
    Word(
        "candidates",
        TOPIC,
        "The model's likeliest next tokens at the traced position, 100 unless asked otherwise, "
        "the target among them.",
        also=("likeliest next tokens",),
    ),
    Word(
        "logit difference",
        TOPIC,
        "With “A vs B” as the target, the metric is A's lead over B, in nats: what is positive "
        "favours A, what is negative B.",
        "logit(A) − logit(B) = ln(p(A) / p(B))",
        also=("logit diff",),
    ),
    Word(
        "probability",
        TOPIC,
        "How probable a token is as the next one, from 0 to 100 %: the softmax of the logits over "
        "the whole vocabulary.",
        "exp(logit) / Σ exp(logits)",
    ),
    Word(
        "rank",
        TOPIC,
        "The target's place among all tokens of the vocabulary; 1 is the most probable.",
        "1 + number of tokens with a higher logit",
    ),
    Word(
        "entropy",
        TOPIC,
        "How undecided a reading is, in bits: 0 when one token has all the probability, log₂ of "
        "the vocabulary's size when every token has the same.",
        "−Σ p · log₂ p",
    ),
)
