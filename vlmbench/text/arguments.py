"""What stands beside the predicate of a Japanese sentence: who, what, where, with what.

    作業員はヘルメットをかぶっています   ヘルメット
    皿の上にはトマトが載っています       皿の上, トマト
    平均年齢は2010年時点で58歳でした     58歳
    傘を持った男性の隣で本を読みます     男性の隣, 本

Rests on the words and forms that MeCab finds; the verbs listed are only those whose arguments are
no answer (comparison, doubt, exclusion).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from vlmbench.text.mecab import tagged_words

_NOMINAL = {"名詞", "代名詞", "接尾辞", "接頭辞", "形状詞", "記号"}
_INSIDE = set("・%.,-/:~〜°℃&'")
_OPENS = set("「」『』√π▲△")
_CASES = {"を", "が", "で", "に", "へ", "と", "から", "まで", "として"}
_NEGATIONS = {"無い", "ない", "ぬ", "ず"}
_APART = frozenset(
    "上回る 下回る 次ぐ 比べる 比する 間違える 間違う 見える 似る 思う 異なる 違う 除く 限る"  # noqa: SIM905
    " 超える 越える 迷う 続く".split()
)
"""Verbs whose arguments are what something is not, or is compared with."""
_SUBORDINATE = {"ば", "ので", "から", "のに", "が", "けれど", "けど", "たら", "なら", "と"}
"""Conjunctions behind a clause that only leads to the next one."""


@dataclass
class _Reader:
    """Arguments so far; those of the clause that is being read can still turn out to be none."""

    found: list[str] = field(default_factory=list)
    clause: list[str] = field(default_factory=list)
    phrase: str = ""

    def close_phrase(self) -> None:
        """The phrase is an argument of this clause."""
        if self.phrase.strip("の、と"):
            self.clause.append(self.phrase.strip("の、と"))
        self.phrase = ""

    def close_nominal(self) -> None:
        """The phrase is the predicate: what stands beside it (左から2番目) only specifies it."""
        if self.phrase.strip("の、と"):
            self.clause.clear()
            self.close_phrase()

    def close_clause(self) -> None:
        """What the clause says is said."""
        self.found += self.clause
        self.drop_clause()

    def drop_clause(self) -> None:
        """The clause only describes a noun, is denied, or leads to another one."""
        self.clause, self.phrase = [], ""


@functools.lru_cache(maxsize=1 << 12)
def arguments(clause: str) -> tuple[str, ...]:
    """The phrases beside the predicates of a clause, in their order, without its topics.

    Members of a list (赤と白) are one phrase. What belongs to a relative clause, to a denied,
    conditional or causal clause or to a comparison is left out.
    """
    reader = _Reader()
    words = [(one.surface, one.feature) for one in tagged_words(clause)]
    for at, (surface, feature) in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ("", None)
        _read(reader, surface, feature, following, words[at - 1][1] if at else None)
    reader.close_nominal()
    reader.close_clause()
    return tuple(dict.fromkeys(reader.found))


def _read(
    reader: _Reader, surface: str, word: Any, following: tuple[str, Any], before: Any
) -> None:
    kind, form = word.pos1, str(word.cForm or "")
    if str(word.lemma or "") in _NEGATIONS:
        reader.drop_clause()
        return
    nominal_next = following[1] is not None and following[1].pos1 in _NOMINAL
    goes_on = reader.phrase and surface in _INSIDE
    if kind in _NOMINAL or goes_on or surface in _OPENS or (kind == "形容詞" and nominal_next):
        reader.phrase += surface
    elif kind == "助詞":
        _read_particle(reader, surface, word, nominal_next, before)
        if surface == "で" and following[0] == "、" and reader.clause:
            reader.clause = reader.clause[-1:]
            reader.close_clause()  # the copula: 愛知県で、…
    elif surface in ("、", ","):
        reader.phrase = f"{reader.phrase}、" if reader.phrase else ""
    elif kind in ("動詞", "助動詞", "形容詞"):
        _read_predicate(reader, word, form, following, nominal_next)
    else:
        reader.phrase = ""


def _read_particle(
    reader: _Reader, surface: str, word: Any, nominal_next: bool, before: Any
) -> None:
    if word.pos2 == "準体助詞":
        reader.drop_clause()
    elif word.pos2 == "接続助詞":
        if surface in _SUBORDINATE:
            reader.drop_clause()
        elif surface in ("て", "で", "ながら", "つつ") and not nominal_next:
            reader.close_phrase()
    elif surface == "の" or (surface in ("と", "や", "か") and nominal_next):
        reader.phrase = f"{reader.phrase}{surface}" if reader.phrase else ""
    elif surface in _CASES:
        reader.close_phrase()
    elif word.pos2 == "副助詞" and surface in ("だけ", "のみ", "ほど", "くらい", "ぐらい"):
        pass
    elif before is not None and before.pos1 == "助詞":
        pass  # には, では: the phrase is an argument already
    else:
        reader.phrase = ""


def _read_predicate(
    reader: _Reader, word: Any, form: str, following: tuple[str, Any], nominal_next: bool
) -> None:
    lemma = str(word.lemma or "")
    if lemma in _APART or (form.startswith("連体形") and nominal_next):
        reader.drop_clause()
    elif word.pos1 == "動詞" and lemma == "為る":
        reader.phrase = ""  # 到着します: the noun is the verb
    elif lemma in ("だ", "です"):
        reader.close_nominal()
    else:
        reader.close_phrase()
    if form.startswith("連用形") and following[0] in ("、", ","):
        reader.close_clause()
