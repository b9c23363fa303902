"""The phrases around a choice's label, for each way of labeling options."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

# Lines come normalized: the only white space inside them is one plain space.
_OPEN = r"[「『(\[{【〔〈《<\"'`*$_ ]{0,6}"
_CLOSE = r"[」』)\]}】〕〉》>\"'`*$_ ]{0,6}"

# What announces an answer, then small words that may stand between it and the label.
_CUE = (
    "(?:(?:答え|解答|回答|正解|正答|答|結論|選択肢?"
    "|(?:正しい|適切な|適当な|該当する|当てはまる|ふさわしい|妥当な|誤っている|間違っている|不適切な"
    "|適切でない|正しくない|異なる)(?:もの|選択肢|記述|答え|の)"
    "|したがって|従って|よって|ゆえに|以上より|以上から|つまり"
    r"|\banswer|\boption|\bchoice|\bchoose|\bselect|\bpick|\btherefore|\bhence|\bthus)"
    r"(?:番号|記号|[\"'](?=[:=]))?"
    "(?:は|が|の|を|、|,|:|;|=|-|→|として|番号|記号|選択肢|最も|適切な|正しい|明らかに|おそらく"
    "|たぶん|is|are|would be|must be|should be|letter|option|choice|final|most likely"
    r"|\)|」|】|\]|\s|\*|#){0,10})"
)
_TEXT_BEHIND = r"(?:[(「『][^)」』\n]{0,40}[)」』]|[:.、] ?[^。\n]{0,30}?)?"
_PREDICATE = (
    " ?(?:の方が|のほうが|番が|番を|番は|番|が|は|も|を|に|だけが)? ?"
    "(?:最も|もっとも|一番|明らかに)? ?"
    "(?:正解|正しい|正しく(?!な)|正答|答え|解答|回答|適切(?!では|でな)|適当(?!では|でな)|妥当"
    "|該当(?!しな|しませ)|当てはまる|当てはまり(?!ません)|ふさわしい|選択し|選択する|選択肢です|選び|選ぶ"
    "|選ん|にし(?:ます|た)|にする|に(?:決め|変更し)|とします"
    "|で ?す|です|だと|である|かと|と考え|と思|とな[るり]|にな[るり]|でしょう|だろう"
    "|(?<=が)(?:よい|良い|いい)|(?:で|に)間違い(?:あり|な)"
    r"|だ(?=[。\n]|$)|is (?:the )?(?:correct|right|best|answer)|が正)"
)
_DENIAL = (
    r"(?:では?(?:ない|ありません)|じゃない|か(?:どうか|は不明)|以外|を除|[:は]? ?[×✕✖✗✘❌]"
    "|GAP{0,20}?(?:誤り|誤って|間違(?!い(?:あり|な|ござい))|不正解|正しくな"
    "|正しくあり|不適切|適切では|適切でな|違う|違い(?!ない|あり|な)|違って|ではあり|ではない|除外|外れ"
    "|当てはまら|当てはまりません|該当しな|該当しませ|is not|isn't|incorrect|wrong|false))"
)


_AT_FIRST = (
    "(?:だ|か|も|の方|のほう|のよう)*[とに]も?(?:思|考え|言え|見え|迷|感じ)[^。、\\n]{0,10}?"
    "(?:が|けど|けれど|けれども|ものの)[、,]?"
)
"""Behind a label that the answer considers first and then replaces by another."""


@dataclass(frozen=True, slots=True)
class LabelPatterns:
    """One way of labeling options, as patterns whose group `label` is the label."""

    labels: str | tuple[str, ...]
    """In order."""
    after_cue: re.Pattern[str]
    before_predicate: re.Pattern[str]
    head: re.Pattern[str]
    """At the beginning of a line."""
    alone: re.Pattern[str]
    """Anywhere, without anything that makes it part of a word."""
    after_other: re.Pattern[str]
    """The second of two alternatives, as in AまたはB."""
    continues: re.Pattern[str]
    """Behind a label: another alternative."""
    all_but: re.Pattern[str]
    """A label that is right because all others are wrong."""
    denied: re.Pattern[str]
    at_first: re.Pattern[str]
    """A label that another one of the same sentence replaces."""
    span: re.Pattern[str]
    """All labels from one to another, as in A~D."""
    not_but: re.Pattern[str]
    any_label: re.Pattern[str]

    def index(self, label: str) -> int:
        """The position of a label as the text writes it."""
        return self.labels.index(label.upper())

    def undenied(self, text: str) -> str:
        """The text without labels that it rules out."""
        text = self.all_but.sub(lambda found: f"{found['label']}です", text)
        text = self.not_but.sub("", text)
        text = self.span.sub("□", text)
        text = self.at_first.sub("□", text)
        return self.denied.sub(lambda found: self.any_label.sub("□", found[0]), text)

    def heads(self, text: str) -> Iterator[str]:
        """Labels that are a line or begin one: of the first line that has one, else the last."""
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        found = [
            (i, match["label"]) for i, line in enumerate(lines) if (match := self.head.match(line))
        ]
        at_ends = [label for i, label in found if i in (0, len(lines) - 1)]
        if len({label.upper() for _, label in found}) > 2:
            # The options copied out, not an answer.
            yield from (label for _, label in found)
        elif at_ends:
            yield from at_ends
        elif found:
            yield found[-1][1]


def _patterns(
    labels: str | tuple[str, ...],
    one: str,
    *,
    before: str,
    after: str,
    head_after: str,
    marked: str = "",
) -> LabelPatterns:
    label = f"{before}(?P<label>{one}){after}"
    other = f"{before}(?:{one}){after}"
    separator = " ?(?:または|もしくは|あるいは|および|か|も|と|、|,|・|/|&|or|and) ?"
    listed = f"{other}(?:{_CLOSE}{separator}{_OPEN}{other}){{0,6}}{_CLOSE}"
    # Not beyond another label: the denial would be about that one.
    denial = _DENIAL.replace("GAP", f"(?:(?!{other})[^。、,;\\n])")
    noted = r"(?:[(「][^)」\n]{0,30}[)」])?(?:番|の選択肢)? ?"

    def compiled(pattern: str) -> re.Pattern[str]:
        return re.compile(pattern, re.IGNORECASE)

    return LabelPatterns(
        labels,
        after_cue=compiled(f"{_CUE}{_OPEN}{marked}(?P<label>{one}){after}"),
        before_predicate=compiled(f"{_OPEN}{label}{_CLOSE}{_TEXT_BEHIND}{_PREDICATE}"),
        head=compiled(rf"[#>\-・→⇒✅☑✔👉 ]{{0,6}}{_OPEN}{label}{head_after}"),
        alone=compiled(label),
        after_other=compiled(f"{other}{_CLOSE}{separator}{_OPEN}{label}"),
        continues=compiled(f"{_CLOSE}番?{separator}{_OPEN}{other}"),
        denied=compiled(
            rf"\b(?:not|neither|nor|isn't) (?:(?:option|answer|choice) )?{_OPEN}{other}"
            f"|{listed}{noted}(?:は|が|も)?(?:すべて|全て)? ?{denial}"
        ),
        all_but=compiled(
            f"{_OPEN}(?P<label>{before}(?:{one}){after}){_CLOSE}以外[^。、\n]{{0,6}}?は{denial}"
        ),
        at_first=compiled(rf"{other}{_CLOSE}{_AT_FIRST}(?=[^。\n]*?{other})"),
        span=compiled(f"{other} ?[~〜-] ?{other}"),
        not_but=compiled(
            rf"{other}{_CLOSE}(?:[^。、,\n]{{0,20}}?(?:では|じゃ)|でも(?:{other}でも){{0,4}})"
            r"(?:なく|無く)(?:て)?[、,]? ?"
        ),
        any_label=compiled(other),
    )


@functools.cache
def latin_labels(count: int) -> LabelPatterns:
    """A, B, C … in either case; never a letter of a word, of A型 or of Aさん."""
    labels = string.ascii_uppercase[:count]
    one = f"[A-{labels[-1]}]"
    after = (
        r"(?![A-Za-z0-9]|['’][a-z]| ?(?:さん|君|くん|氏|型|社|店|駅|地点|棟|組|班|案|級|席)"
        # "A cat" and "I think" begin with a word, "A is right" with a label.
        "|(?<=[AI]) (?!(?:is|are|or|and|was) )[a-z][a-z])"
    )
    return _patterns(
        labels,
        one,
        before=r"(?:(?<![A-Za-z0-9ァ-ヺー一-鿿.&])(?<![a-z]['’])|(?<=多分))",
        after=after,
        head_after=r"(?:$|[.:,、。)\]」』】>}*`\"'!?\s(「『\-–|/→=…_$])",
    )


class _System(Protocol):
    def __call__(self, count: int, *, bare: bool) -> LabelPatterns: ...


@functools.cache
def _kana(count: int, *, bare: bool) -> LabelPatterns:
    labels = "アイウエオカキクケコサシスセソタチツテト"[: min(count, 20)]
    return _patterns(
        labels,
        f"[{labels}]",
        before=f"(?:(?<![ァ-ヺー一-鿿ぁ-んA-Za-z])|(?<=[{labels}][とかやも]))",
        after="(?![ァ-ヺー一-鿿])",
        head_after=r"(?:$|[.:,、。)\]」』】>}*`\"'!?\s(「『\-|/→=…])",
    )


@functools.cache
def _numbers(count: int, *, bare: bool) -> LabelPatterns:
    labels = tuple(str(number) for number in range(1, count + 1))
    one = "|".join(reversed(labels))
    unit = r"[0-9]|[.,][0-9]|\s?[^\s番がはをでだに、。.,:)」\]】}*!?(\-のも目と・|/→=…]"
    marked = "" if bare else f"(?:(?<=選択肢)|(?<=選択肢[ :])|(?=(?:{one})番))"
    return _patterns(
        labels,
        f"(?:{one})",
        before=rf"(?<![0-9.,\-△▲¥$第約]){marked}",
        after=f"(?!{unit})",
        marked=marked,
        head_after=r"(?:$|番(?:目|です|$)|[.:,、。)\]」】>}*`\"'!?\s(「\-|/→=…])",
    )


SYSTEMS: tuple[_System, ...] = (_kana, _numbers)
"""Labels other than Latin letters, in the order in which they are looked for."""
