"""What an answer states: its sentences without what it only asks, supposes, withdraws or explains.

    「もしAなら赤いはずです。」        a supposition, nothing is stated
    「Aです。いや、やはりBです。」     the second sentence withdraws the first
    「Bに見えますが、金閣寺です。」    what stands before が is conceded, what follows is stated
    「この答えは表の3行目から…」      about the answer, not the answer
    "It's B because A is too small."  the reason is no statement

Metrics read an answer through this one design: what is left last, and is a statement of the answer,
decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SENTENCE_END = re.compile(r"[。!?\n]+|\.(?=\s|$)|;(?=\s)")
"""The full stop of a number or an abbreviation does not end a sentence."""

_SUPPOSES = re.compile(
    "^(?:もし(?!か)も?|仮に|かりに|たとえ|例えば|たとえば)|^(?:if|suppose|assuming|for example)\\b"
    "|(?:だ|である)?(?:と(?:すると|すれば|したら|仮定)|とした場合|(?<!選ぶ)(?<!選べ)(?<!言う)(?<!挙げる)ならば?[、,]|であれば[、,]|だったら)",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    "^(?:なお、)?(?:この|上記の|以上の|その)(?:答え|回答|解答|結論|判断)(?:は|が|に|の)"
    "|^(?:なぜなら|というのも|理由(?:は|として|:|$)|根拠(?:は|として|:|$)|解説(?:は|:|$))"
    "|^(?:this|the|my) (?:answer|conclusion|choice) (?:is|was) "
    "(?:based|derived|because|taken|obtained)"
    "|^this is (?:because|based)|^(?:because|reason|explanation)\\b",
    re.IGNORECASE,
)
_WITHDRAWS = re.compile(
    "^[→⇒※*( ]{0,4}(?:いや(?!な)|いえ(?=[、,])|訂正|すみません|失礼"
    "|間違え|間違い(?:ました|でした)|待って|待てよ"
    "|ではなく|じゃなくて|やっぱり|やはり|よく見ると|よく考えると|もう一度|改めて|考え直"
    "|wait\\b|actually\\b|correction\\b|no,|hmm|on second thought|sorry"
    "|let me (?:re|look|correct))",
    re.IGNORECASE,
)
_CONCEDES = re.compile(
    "(?<!方)(?<!ほう)(?:が|けど|けれど|けれども|ものの|ながら|のに)[、,] ?"
    "|(?:^|(?<=[、, ]))(?:しかし|ただし|ところが|でも)(?:、|(?=[A-Za-z一-鿿]))"
    "|[,;.]? ?\\b(?:but|however|although|though)\\b,? ",
    re.IGNORECASE,
)
_REASON = re.compile("\\b(?:because|since|as (?:it|the|there)|due to|given that)\\b", re.IGNORECASE)
_ASIDE = re.compile(
    "\\((?:理由|根拠|解説|説明|補足|注|※|because\\b|reason\\b|note\\b)[^()\n]{1,200}\\)",
    re.IGNORECASE,
)
"""A reason or note in parentheses."""
_OR = re.compile("それとも|あるいは|または|もしくは|or\\b", re.IGNORECASE)
_STRUCK = re.compile("~~[^~\n]{1,200}~~|<(s|del|strike)>[^<\n]{1,200}</\\1>", re.IGNORECASE)
_ITEM_LABEL = re.compile(r"[\s(*\-・]{0,4}(?:[A-Za-zァ-ヺ]|[0-9]{1,2})[)*]{0,3}")


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence that says something."""

    clauses: tuple[str, ...]
    """Parts that が, but and the like divide, last one first: the others are conceded to it."""
    withdraws: bool
    """Whether it takes back what was stated before."""
    about: bool
    """Whether it speaks about the answer or gives a reason."""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(reversed(self.clauses))


def without_struck(text: str) -> str:
    """The text without what Markdown or HTML strikes out: ~~A~~ C."""
    return _STRUCK.sub(" ", text)


def statements(lines: str) -> list[Statement]:
    """The statements of an answer in their order; takes text as `answer_lines` leaves it.

    Questions (but the last sentence), suppositions and sentences about the answer are left out,
    and so are reasons behind "because". Where only sentences about the answer are left, they count.
    """
    found = list(_statements(lines))
    return [one for one in found if not one.about] or found


def _statements(lines: str) -> Iterator[Statement]:
    sentences = [
        (part.strip(), end)
        for at, line in enumerate(without_struck(lines).split("\n"))
        for part, end in _sentences(_ASIDE.sub("", line), first=not at)
        if part.strip()
    ]
    for at, (sentence, end) in enumerate(sentences):
        is_last = at == len(sentences) - 1
        if _is_question(sentence, end) and (
            not is_last or _OR.match(sentence) or sentence.count("ですか") > 1
        ):
            continue
        clauses = tuple(reversed(_stated_clauses(sentence)))
        if clauses:
            yield Statement(
                clauses,
                withdraws=bool(_WITHDRAWS.match(sentence)),
                about=bool(_ABOUT.match(sentence)),
            )


def _sentences(line: str, *, first: bool) -> Iterator[tuple[str, str]]:
    """The sentences of a line, each with what ends it.

    The full stop behind an item's label (C. Ueno is …) ends none, but where the answer begins.
    """
    start = 0
    for found in SENTENCE_END.finditer(line):
        is_item = bool(line[found.end() :].strip()) and (start or not first)
        if is_item and found[0] == "." and _ITEM_LABEL.fullmatch(line, start, found.start()):
            continue
        yield line[start : found.start()], found[0]
        start = found.end()
    yield line[start:], ""


def _is_question(sentence: str, end: str) -> bool:
    """Whether a sentence asks; unless it is the last one, which may be an unsure answer."""
    return len(sentence) > 4 and (
        "?" in end or bool(re.search("(?:です|ます|でしょう|の)か$", sentence))
    )


def _stated_clauses(sentence: str) -> list[str]:
    """The clauses that say something, in their order."""
    found, start = [], 0
    for mark in _CONCEDES.finditer(sentence):
        found.append(sentence[start : mark.start()])
        start = mark.end()
    found.append(sentence[start:])
    kept = [clause for clause in found if clause.strip() and not _SUPPOSES.search(clause)]
    return [_REASON.split(clause)[0] or clause for clause in kept]
