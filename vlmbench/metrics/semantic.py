"""Metrics that compare meanings by the vectors of a neural encoder.

They need an encoder (a directory, or a download from the Hugging Face Hub) and so cost more than
all the others together; the other metrics never load one. Values of different encoders do not
compare, which the signature makes sure of: it names the encoder as the option does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from vlmbench.errors import DataError
from vlmbench.metrics.base import Answer, Range, References, metric
from vlmbench.records import MetricScore, Scalar
from vlmbench.text.japanese import NORMALIZATION, normalize

if TYPE_CHECKING:
    import PIL.Image

    from vlmbench.metrics.encoders import Embeddings, ImageTextEncoder, Tokens

_DECIMALS = 6
"""Decimals that are kept: how a batch is cut changes the seventh digit of 32-bit arithmetic."""

_BATCH_SIZE = 64
"""Answers whose vectors are in memory at once."""

_IMAGE_BATCH_SIZE = 16
"""Answers whose images are in memory at once."""

_CLIP_WEIGHT = 2.5
"""Hessel et al. stretch cosines, which stay below 0.4 in practice, by this."""

_PARTS = ("precision", "recall", "f1")


@dataclass(frozen=True, slots=True)
class TokenWeights:
    """Inverse document frequencies; all 1 without them."""

    known: Mapping[int, float]
    unknown: float = 1.0

    def of(self, tokens: Tokens) -> Embeddings:
        """Weight of each token; nothing for special ones."""
        weights = np.array([self.known.get(one, self.unknown) for one in tokens.ids], np.float32)
        weights[tokens.special] = 0
        # A text of nothing but tokens that every reference has is still a text.
        return weights if weights.any() else np.asarray(~tokens.special, np.float32)


def _identity(options: Mapping[str, Scalar]) -> list[str]:
    return [f"norm:{NORMALIZATION}", f"transformers-{version('transformers')}"]


def _reference_texts(all_references: References) -> tuple[str, ...]:
    """All references of the task, in normal form."""
    return tuple(normalize(text) for texts in all_references for text in texts)


@metric(
    source="Zhang et al., BERTScore, 2020; not rescaled, as the bert-score package by default",
    prepare=_reference_texts,
    identity=_identity,
    batched=True,
    encoder="texts",
)
def bert_score(
    answers: Sequence[Answer],
    corpus: tuple[str, ...],
    *,
    model: str = "google-bert/bert-base-multilingual-cased",
    layer: Annotated[int, Range(0, 200)] = 9,
    part: Literal["precision", "recall", "f1"] = "f1",
    idf: bool = False,
) -> list[MetricScore]:
    """Mean BERTScore, from 0 to 1, higher is better.

    Each token of the answer is compared with the most similar token of the reference by the
    cosine of their vectors in context: the mean is the precision; recall the other way round.
    With several references the one with the highest F1 counts. Both texts are in normal form
    (NFKC) and cut into tokens by the encoder's own tokenizer; tokens beyond its limit, usually
    512, are cut off; its special tokens can be matched but weigh nothing. A mean below 0 counts
    as 0. A text without tokens scores 0, and 1 if both are without. Even unrelated texts score
    around 0.6: differences mean more than the value.

    Args:
        model: The encoder: a directory, a name on the Hugging Face Hub, or name@revision.
        layer: Layer whose vectors are compared; 9 of 12 is what the paper found best for BERT.
        part: F1, or its precision or recall alone.
        idf: Whether tokens that are rare in the task's references weigh more.
    """
    from vlmbench.metrics.encoders import text_encoder

    encoder = text_encoder(model, layer)
    weights = _token_weights(corpus, model, layer) if idf else TokenWeights({})
    scores = []
    for start in range(0, len(answers), _BATCH_SIZE):
        batch = answers[start : start + _BATCH_SIZE]
        group = [list(map(normalize, (one.prediction, *one.references))) for one in batch]
        tokens = encoder.encode([text for texts in group for text in texts])
        for prediction, *references in group:
            prf = best_match(tokens[prediction], [tokens[one] for one in references], weights)
            scores.append(MetricScore((round(prf[_PARTS.index(part)], _DECIMALS),)))
    return scores


@metric(
    bounds=(0, _CLIP_WEIGHT),
    source="Hessel et al., CLIPScore, 2021, without its English prefix",
    identity=_identity,
    batched=True,
    encoder="images",
)
def clip_score(
    answers: Sequence[Answer],
    *,
    model: str = "google/siglip2-base-patch16-224",
) -> list[MetricScore]:
    """Mean CLIPScore of the answer and the image, from 0 to 2.5, higher is better.

    2.5 times the cosine of the vectors that an image-text encoder gives to the image and to the
    answer, 0 if it is negative; with several images the mean. References play no part. The
    answer is in normal form (NFKC) and cut off at the encoder's limit, which may be as short as
    64 tokens. An empty answer scores 0; a sample without an image, or with one that cannot be
    read, is unscored. The encoder must know Japanese: the first CLIP models do not.

    Args:
        model: The encoder (CLIP or SigLIP): a directory, a name on the Hugging Face Hub, or
            name@revision.
    """
    from vlmbench.metrics.encoders import image_text_encoder

    encoder = image_text_encoder(model)
    groups = (
        answers[at : at + _IMAGE_BATCH_SIZE] for at in range(0, len(answers), _IMAGE_BATCH_SIZE)
    )
    return [score for group in groups for score in _clip_scores(group, encoder)]


def best_match(
    words: Tokens, references: Sequence[Tokens], weights: TokenWeights
) -> tuple[float, float, float]:
    """Precision, recall and F1 with the reference that has the highest F1."""
    return max((_match(words, one, weights) for one in references), key=lambda prf: prf[2])


def _match(words: Tokens, reference: Tokens, weights: TokenWeights) -> tuple[float, float, float]:
    ours, theirs = weights.of(words), weights.of(reference)
    if not ours.sum() or not theirs.sum():
        full = float(not ours.sum() and not theirs.sum())
        return full, full, full
    cosines = words.vectors @ reference.vectors.T
    precision = _mean(cosines.max(axis=1), ours)
    recall = _mean(cosines.max(axis=0), theirs)
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0


def _mean(cosines: Embeddings, weights: Embeddings) -> float:
    """Weighted mean from 0 to 1; rounding may take the cosine of a vector with itself above 1."""
    return min(1.0, max(0.0, float(cosines @ weights / weights.sum())))


@lru_cache(maxsize=2)
def _token_weights(texts: tuple[str, ...], encoder_name: str, layer: int) -> TokenWeights:
    """log((N + 1) / (df + 1)) over N references, as in the paper's program."""
    from vlmbench.metrics.encoders import text_encoder

    found: Counter[int] = Counter()
    for ids in text_encoder(encoder_name, layer).tokenize(texts):
        found.update(set(ids))
    most = math.log(len(texts) + 1)
    return TokenWeights({one: most - math.log(count + 1) for one, count in found.items()}, most)


def _clip_scores(answers: Sequence[Answer], encoder: ImageTextEncoder) -> Iterator[MetricScore]:
    pictures = [_pictures(answer) for answer in answers]
    shown = [one for found in pictures if not isinstance(found, str) for one in found]
    seen = iter(encoder.images(shown))
    texts = encoder.texts([normalize(answer.prediction) for answer in answers])
    for text, answer, found in zip(texts, answers, pictures, strict=True):
        if isinstance(found, str):
            yield MetricScore(unscored=found)
            continue
        cosines = [float(text @ next(seen)) for _ in found]
        cosine = min(1.0, max(0.0, math.fsum(cosines) / len(cosines)))
        said = bool(normalize(answer.prediction))
        yield MetricScore((round(_CLIP_WEIGHT * cosine, _DECIMALS) if said else 0.0,))


def _pictures(answer: Answer) -> list[PIL.Image.Image] | str:
    """The images, or why the sample cannot be scored."""
    if not answer.images:
        return "no image"
    try:
        return [image.decode() for image in answer.images]
    except DataError:
        return "an image that cannot be read"
