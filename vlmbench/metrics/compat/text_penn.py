"""Words as the COCO caption evaluation sees them: the Penn Treebank tokenizer, as far as needed.

The original is a Java program (Stanford CoreNLP 3.4.1, called by pycocoevalcap). This follows it
on Japanese with some ASCII between, which is what captions are; English contractions and
abbreviations are not taken apart as it would.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"[a-z]+://[^\s\u3000-\u9fff\uff00-\uffef]+"
    r"|[0-9]+(?:[.,:/-][0-9]+)*%?"
    r"|\.{2,}|-{2,}"
    r"|[^\W_]+(?:['’&.@_-][^\W_]+)*"
    r"|[^\s]"
)
_DROPPED = frozenset(["-", "--", "...", *"'\"`.?!,:;…‘’“”「」《》"])
"""What becomes one of the marks that the evaluation takes out: Japanese quotation marks too.

Brackets stay: they become -lrb- where the evaluation looks for -LRB-."""


def penn_words(text: str) -> tuple[str, ...]:
    """Lower-case tokens without ASCII punctuation."""
    return tuple(
        token for token in _TOKEN.findall(text.replace("\n", " ").lower()) if token not in _DROPPED
    )
