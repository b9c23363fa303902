"""Which option of a multiple-choice question an answer in Japanese (or English) chooses.

    B   （Ｂ）   **B**   B：東京タワー   答えはＢです   選択肢Bが正解   A ではなく B です
    \\boxed{B}   イ   ②   2番   東京タワー（the option's own text）

The answer is read as statements (`statements`), each of which may claim an option or deny it. Options
that are only copied out are passed over, and so is what is said about an option without choosing it
(選択肢Aは上野駅です). The strongest claim decides, of equally strong ones the last. Nothing is guessed:
where two options are left, or none, the answer cannot be parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from vlmbench.text.equivalence import same_answer
from vlmbench.text.extract import boxed, candidates, tagged_answer
from vlmbench.text.japanese import answer_form, surface_form
from vlmbench.text.numbers import find_quantities, read_quantity
from vlmbench.text.option_mentions import (
    CLOSE,
    LETTERS,
    OPEN,
    UNKNOWN_COUNT,
    option_mentions,
)
from vlmbench.text.reasoning import answer_lines
from vlmbench.text.refusal import is_refusal
from vlmbench.text.statements import Statement, statements, without_struck

CHOICE_FORM = "choice-ja4"
"""Version of `read_choice`."""

_SHORT = 40
"""Characters of an answer in which a label counts wherever it stands."""

_CUE = re.compile(
    "(?:"
    "(?:答え|解答|回答|正解|正答|(?<![一-鿿])答|結論|アンサー)(?:番号|記号)?"
    "|選択肢?(?:番号|記号)?(?=は|:|を|として|の中)"
    "|(?:正しい|適切な|適当な|該当する|当てはまる|あてはまる|ふさわしい|妥当な|誤っている|間違っている|誤りな|不適切な|一致する|合う|近い"
    "|適切でない|正しくない|異なる)[ぁ-ん一-鿿]{0,6}?(?:は|が|:)"
    "|(?:したがって|従って|よって|ゆえに|以上より|以上から|つまり|最終的に|結果として?|残る|残った)"
    r"|\b(?:answer|(?:option|choice|match)(?= (?:is|would|must|should|here)|:)|choose|select|pick|go with|therefore|hence|thus|so|it must be|it's|it is|must be)\b"
    ")"
    "(?:は|が|の|を|も|、|,|:|;|=|-|→|として|番号|記号|選択肢|最も|一番|適切な|正しい|明らかに|おそらく|たぶん|やはり"
    "|is|are|would be|must be|should be|letter|option|choice|final|most likely|here|the|to"
    r"|\"|'|\)|」|】|\]|\s|\*|#){0,10}"
    f"{OPEN}$",
    re.IGNORECASE,
)
"""Announces an answer, up to the place where it stands."""
_RIGHT = (
    "(?:正解|正しい|正しく(?!な)|正答|答え|解答|回答|適切(?!では|でな)|適当(?!では|でな)|妥当(?!では|でな)|該当(?!しな|しませ)"
    "|当てはま[るり](?!ません)|あてはまる|ふさわし[いく](?!な)|適して|合って(?!いな|いませ|な)|合う|合致(?!しな|しませ)|一致(?!しな|しませ)"
    "|ベスト|近い|自然(?!では)|よい|良い|いい(?!え)|選|○|◯|〇|✓|✔|✅|is (?:the )?(?:most )?(?:correct|right|best|answer|appropriate)"
    "|matches|fits|it is|最適)"
)
_IS_RIGHT = re.compile(
    f"^{CLOSE}(?:番|の選択肢|の方|のほう)?(?:こそ)?(?:が|は|も|だけが|:|→)?[^。、]{{0,12}}?{_RIGHT}",
    re.IGNORECASE,
)
_IS = re.compile(
    f"^{CLOSE}番? ?(?:で ?す|です|だ(?=[。、]|$|と|ろう)|である|でした|でしょう|だろう|かと|かな|で(?:確定|決まり|間違い|いい|良い|よい|お願い)"
    "|と(?:な[るり]|し|判断|考え|思[いうわ]|推[測定察]|結論|回答|解答|答|断定|決|みな|見な|言え|いえ|分か|わか|読み取|特定|予想|確信|感じ)"
    "|に(?:な[るり]|し(?:ます|た)|する|決|変更|当た|あた|相当|一致|該当|近い|違いない|間違い)"
    r"|を(?:選|採用|回答|解答|答え|正解|推)|の可能性が(?:最も|一番|非常に)?(?:高|大)|\b ?(?:it is|is it)\b)"
)
_ENDS = re.compile(rf"^{CLOSE}番?[。.!?✅\s)]*$")
_ANY_VERB = re.compile(f"^{CLOSE}番?(?:と|に|を|が|で|であ)[^はも、。]{{1,25}}$")
_DENIED = re.compile(
    f"^{CLOSE}(?:番|の選択肢|の方)? ?(?:[(「][^)」\n]{{0,30}}[)」])?"
    "(?:"
    "で?は?(?:ない|ありません|なく)|では?ありえ|じゃな|か(?:どうか|は不明)|以外|を除|[:は→]? ?[×✕✖✗✘❌]"
    "|(?:は|が|も|[:：→]|の可能性)?(?:すべて|全て|みな|いずれも|どちらも)?[^。、,;]{0,24}?"
    "(?:誤り|誤って|間違(?!い(?:あり|な|ござい))|不正解|正しくな|正しくあり|不適切|適切では|適切でな|違う|違い(?!ない|あり|な)"
    "|違って|違[えっ]|ではあり|ではない|でない|除外|外れ|外[しすれ]|当てはまら|当てはまりません|あてはまら|該当しな|該当しませ|一致しな|一致しませ|合わな"
    "|合いませ|合って(?:いな|いませ)|矛盾|満たさ|異な|否定|排除|ありえな|あり得な|ふさわしくな|考えにく|考えられな|写って(?:いな|いませ)|見当たら)"
    r"| ?(?:is|are|was|were|can|could|does|do|must|would|will|should)? ?(?:be )?(?:clearly |all |both )?(?:not|n't|cannot|incorrect|wrong|false|ruled out|eliminated|excluded|invalid)"
    "| (?:isn't|aren't|can't|doesn't|cannot|don't)"
    ")",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    rf"\b(?:not|neither|nor|isn't|rather than|instead of|than)(?: the)?(?: (?:option|answer|choice))? ?{OPEN}$"
    rf"|\b(?:rule out|eliminate|exclude) {OPEN}$",
    re.IGNORECASE,
)
_ALL_BUT = re.compile(f"^{CLOSE}以外[^。、]{{0,8}}?(?:は|が|も)")
_REPLACED = re.compile(f"^{CLOSE}(?:の[^。、]{{1,20}}?)?(?:では|じゃ|でも)(?:なく|無く)")
_COMPARED = re.compile(f"^{CLOSE}よりも?")
_NAMED = re.compile(r"[#>\-・→⇒👉✅☑✔*「『(\[ ]*(?:選択肢|option|choice)?[ 「『(*]*", re.IGNORECASE)
"""What may stand before an option that is all that is said."""
_UNSURE = re.compile(
    f"^{CLOSE}(?:の可能性(?!が(?:最も|一番|非常に)?(?:高|大))|かもしれ|ではないかと?(?:思う)?(?:かも))"
)
_SEPARATOR = re.compile(
    f"{CLOSE}番? ?(?:→|⇒|->|または|又は|もしくは|あるいは|および|及び|か|も|と|や|、|,|・|/|&|(?<=[」』])(?=[「『])|,? ?or|,? ?and|(?<= )) ?(?:選択肢)?{OPEN}",
    re.IGNORECASE,
)
_APPOSITION = re.compile(rf"{CLOSE}番?(?:の選択肢)?の?[.:;、,)\]( 「『\-–→=>*~]{{0,5}}")
_NONE_OF_THEM = re.compile(
    "(?:どれ|いずれ|全て|すべて)(?:も|の|にも)?[^。\n]{0,20}(?:ません|ない|誤り|間違)|該当(?:なし|する(?:もの|選択肢)[はが](?:な|あり))"
    "|none of (?:the|these)|(?:全て|すべて|全部|両方|どちらも)(?:の選択肢)?[がは]?正し",
    re.IGNORECASE,
)


_ANSWER_MARK = re.compile(r"^A ?: ?(?=[B-Z]\W*$)")
"""A for "answer", where only a letter follows."""


class _Strength(IntEnum):
    """How surely a statement chooses an option."""

    MENTIONED = 1
    """The only option that is named at the end."""
    SEEMS = 2
    """What the last sentence comes to."""
    STATED = 3
    CHOSEN = 4
    """Called the answer, or all that stands there."""


@dataclass(frozen=True, slots=True)
class _Claim:
    options: frozenset[int]
    strength: _Strength
    also: bool = False
    """Whether it says of an option that it is right, and not which one is: Aは正しい。"""


@dataclass(frozen=True, slots=True)
class _Group:
    """Options named in one breath: AまたはB; or one with its own text: B. 大阪."""

    options: frozenset[int]
    start: int
    end: int
    is_label: bool


def read_choice(text: str, choices: Sequence[str]) -> int | None:
    """The position of the option that an answer chooses, None when it cannot be parsed.

    Args:
        text: The whole answer; reasoning blocks are skipped.
        choices: The options in order, labeled A, B, C … (or ア イ ウ …, 1 2 3 …) in the prompt.
            May be empty: then labels up to J are understood, and no option texts.

    1. A refusal chooses nothing. Of a \\boxed{}, an <answer> or an "answer" in JSON only the content
       is read.
    2. An answer that is an option's text, or begins as one option alone does, is that option.
    3. Options copied out of the question are dropped. What the rest says option by option (a line
       each) counts only if nothing else is stated: the only one called right, or not called wrong.
    4. Of every statement: what stands before が, しかし or "but" counts only if nothing follows; "because …",
       suppositions (もしAなら), questions and sentences about the answer do not count; a sentence that
       begins with いや or "Wait" withdraws those before it. Denied options (Aは誤り, AではなくB, Aより)
       are left out.
    5. A claim is, from strong to weak: an option called the answer (答えはB, Bが正しい, "B is correct"), chosen
       (Bと判断します) or alone in its line; one that a sentence ends with (写真の山は富士山です); the only
       one that the last sentence names; the only label of a short answer. The strongest counts, of
       equal ones the last. Of two joined by または neither counts.

    A label beyond the options is none. A number is a label only beside 番 or 選択肢 when an option is
    a number itself.
    """
    lines = answer_lines(text)
    if (content := boxed(lines)) is not None or (content := tagged_answer(lines)) is not None:
        lines = content
    if not lines or is_refusal(lines):
        return None
    lines = _ANSWER_MARK.sub("", lines)
    if (whole := _whole_text(lines, choices)) is not None:
        return whole
    items, rest = _without_copies(without_struck(lines), choices)
    found = _chosen(rest, choices)
    if found is None and items:
        found = _of_items(items)
    return next(iter(found)) if found is not None and len(found) == 1 else None


def choice_index(reference: str, choices: Sequence[str]) -> int | None:
    """The position of the option that a reference names: a Latin letter, the text, another label.

    None when it names none of the options.
    """
    form = surface_form(reference)
    count = len(choices) or UNKNOWN_COUNT
    if len(form) == 1 and form.upper() in LETTERS[:count]:
        return LETTERS.index(form.upper())
    for position, choice in enumerate(choices):
        if surface_form(choice) == form:
            return position
    return read_choice(reference, choices)


_KANJI_DIGITS = tuple("一二三四五六七八九")


def _whole_text(lines: str, choices: Sequence[str]) -> int | None:
    form, options = answer_form(lines), [answer_form(choice) for choice in choices]
    if form in _KANJI_DIGITS and form not in options and not any(map(read_quantity, choices)):
        number = _KANJI_DIGITS.index(form)
        return number if number < len(choices or LETTERS) else None
    found = [position for position, option in enumerate(options) if option == form]
    if not found and not read_quantity(form) and len(form) >= 2:
        # 札幌 for 札幌市, where no other option begins so.
        begun = [i for i, option in enumerate(options) if option.startswith(form)]
        found = begun if all(len(options[i]) <= 2 * len(form) for i in begun) else []
    if not found and "\n" not in lines:
        found = [i for i, choice in enumerate(choices) if same_answer(lines, choice)]
    return found[0] if len(found) == 1 else None


def _without_copies(lines: str, choices: Sequence[str]) -> tuple[list[tuple[int, str]], str]:
    """Option and text of what is said option by option, and the lines without it.

    A line that has an option and nothing else is no part of that list if it is the only such line.
    """
    heads = [(line, _head(line, choices)) for line in lines.split("\n")]
    bare = {head[0] for _, head in heads if head and not head[1]}
    kept, items = list[str](), list[tuple[int, str]]()
    for line, head in heads:
        if head is None or (not head[1] and len(bare) == 1):
            kept.append(line)
        else:
            items.append(head)
    options = {option for option, _ in items}
    if len(options) < 2 and not (options and bare):
        return [], _without_list(lines, choices)
    return items, _without_list("\n".join(kept), choices)


_HEAD = re.compile(
    rf"^[#>\-・•●■→⇒✅☑✔👉 ]{{0,6}}{OPEN}(?:選択肢|option|choice)? ?$", re.IGNORECASE
)
_HEAD_END = re.compile(rf"^{CLOSE}番?(?:$|[.:,、。)(「『\-–/|→=…]|(?<= )\S)")


def _head(line: str, choices: Sequence[str]) -> tuple[int, str] | None:
    """The option whose label begins a line, and what else the line says than its text."""
    mentions = option_mentions(line, choices)
    if not mentions or mentions[0].kind in ("ordinal", "text"):
        return None
    first, *others = mentions
    after = line[first.end :]
    if not _HEAD.match(line[: first.start]) or not _HEAD_END.match(after):
        return None
    between = line[first.end : others[0].start] if others else ""
    if others and others[0].kind == first.kind and _SEPARATOR.fullmatch(between):
        return None
    if others and others[0].option == first.option and _APPOSITION.fullmatch(between):
        after = line[others[0].end :]
    return first.option, after.strip(" .:、,)]*_`」』。")


def _without_list(lines: str, choices: Sequence[str]) -> str:
    """The lines without a list of the options in one sentence: A 金閣寺、B 銀閣寺、C 清水寺."""
    pieces = [
        rf"{OPEN}{LETTERS[i]}{CLOSE}[.:)、 ]{{0,3}}{re.escape(choice)}"
        for i, choice in enumerate(choices[:26])
    ]
    if len(pieces) < 2:
        return lines
    whole = r"[、,/ ;]{0,3}".join(pieces)
    return re.sub(rf"(?:選択肢(?:は|:)?)?{whole}", "", lines)


def _of_items(items: Sequence[tuple[int, str]]) -> frozenset[int] | None:
    """The only option that a list calls right, else the only one that it does not call wrong."""
    right, wrong, open_ = set(), set(), set()
    for option, said in items:
        if re.search(_NO, said, re.IGNORECASE):
            wrong.add(option)
        elif re.search(_YES, said, re.IGNORECASE):
            right.add(option)
        else:
            open_.add(option)
    if len(right) == 1:
        return frozenset(right)
    if not right and wrong and len(open_) == 1:
        return frozenset(open_)
    return None


_YES = f"{_RIGHT}|\\byes\\b|\\bcorrect\\b|確認でき(?!ま?せん|な)|正解"
_NO = (
    "×|✕|✖|✗|✘|❌|誤り|誤って|間違(?!い(?:あり|な))|不正解|不適切|違(?!い(?:ない|あり|な))|ない|ません|異な|矛盾|\\bno\\b|\\bnot\\b|wrong"
    "|incorrect|\\btoo\\b|false|doesn't|isn't"
)


def _chosen(lines: str, choices: Sequence[str]) -> frozenset[int] | None:
    """The options of the strongest claim of the statements."""
    if _NONE_OF_THEM.search(lines[-200:]) and not _CUED_AT_END.search(lines[-60:]):
        return frozenset()
    claims: list[_Claim] = []
    stated = list(statements(lines))
    for statement in stated:
        own = list(_claims(statement, choices, last=statement is stated[-1]))
        if statement.withdraws and own:
            claims.clear()
        claims += own
    short = len(lines) <= _SHORT
    if not claims and short and stated:
        claims += _mentioned(lines, choices)
    if not claims:
        return None
    strongest = max(claim.strength for claim in claims)
    best = [claim for claim in claims if claim.strength == strongest]
    if all(claim.also for claim in best):
        return frozenset().union(*(claim.options for claim in best))
    return next(claim for claim in reversed(best) if not claim.also).options


_CUED_AT_END = re.compile("(?:答え|正解|answer)(?:は|:| is)", re.IGNORECASE)


def _claims(statement: Statement, choices: Sequence[str], *, last: bool) -> Iterator[_Claim]:
    """What a statement claims; conceded clauses only where the main one claims nothing."""
    for clause in statement.clauses:
        found = list(_clause_claims(clause, choices, last=last))
        if found:
            yield from found
            return


def _clause_claims(clause: str, choices: Sequence[str], *, last: bool) -> Iterator[_Claim]:
    groups = _groups(clause, choices)
    if any(len(group.options) == len(choices) > 2 for group in groups):
        return  # the options copied out, or all of them
    left, found = [], False
    for at, group in enumerate(groups):
        behind = clause[group.end : groups[at + 1].start if at + 1 < len(groups) else None]
        before = clause[groups[at - 1].end if at else 0 : group.start]
        claim = _claim(group, before, behind)
        if claim is None:
            continue
        left.append(group)
        if claim:
            found = True
            yield claim
    if found:
        return
    texts = [group for group in left if not group.is_label]
    if (said := _says_text(clause, choices)) is not None and not any(g.is_label for g in left):
        yield _Claim(said, _Strength.STATED)
    elif last and len({group.options for group in left}) == 1 and left:
        one = left[0]
        if one.is_label or (texts and not _denies_at_end(clause, one.end)):
            yield _Claim(one.options, _Strength.SEEMS)
    elif last and not left and (content := _by_content(clause, choices)) is not None:
        yield _Claim(content, _Strength.SEEMS)


def _claim(group: _Group, before: str, behind: str) -> _Claim | bool | None:
    """The claim of a group; False where it is only named, None where it is ruled out."""
    cued = bool(_CUE.search(before))
    if _ALL_BUT.match(behind) and _DENIED.search("は" + behind.partition("は")[2]):
        return _Claim(group.options, _Strength.CHOSEN)
    if (
        _REPLACED.match(behind)
        or _COMPARED.match(behind)
        or _UNSURE.match(behind)
        or _DENIED_BEFORE.search(before)
        or _DENIED.match(behind)
    ):
        return None
    alone = _NAMED.fullmatch(before) and _ENDS.match(behind)
    if cued or alone or _IS_RIGHT.match(behind) or (group.is_label and _IS.match(behind)):
        also = not cued and not alone and bool(re.match(f"{CLOSE}番?[はも]", behind))
        return _Claim(group.options, _Strength.CHOSEN, also)
    if group.is_label and _ANY_VERB.match(behind):
        return _Claim(group.options, _Strength.STATED)
    return False


def _groups(clause: str, choices: Sequence[str]) -> list[_Group]:
    """The mentions of a clause, alternatives and appositions joined."""
    groups: list[_Group] = []
    for one in option_mentions(clause, choices):
        label = one.kind != "text"
        mine = _Group(frozenset({one.option}), one.start, one.end, label)
        if not groups:
            groups.append(mine)
            continue
        before, between = groups[-1], clause[groups[-1].end : one.start]
        if (before.is_label and not label and _APPOSITION.fullmatch(between)) or (
            not before.is_label
            and label
            and before.options == mine.options
            and _APPOSITION.fullmatch(between)
        ):
            groups[-1] = _Group(before.options, before.start, one.end, is_label=True)
        elif before.is_label == label and _SEPARATOR.fullmatch(between):
            groups[-1] = _Group(before.options | mine.options, before.start, one.end, label)
        else:
            groups.append(mine)
    return groups


def _mentioned(lines: str, choices: Sequence[str]) -> Iterator[_Claim]:
    """The only label of a short answer."""
    kept = frozenset[int]()
    for clause in lines.split("\n"):
        groups = _groups(clause, choices)
        for at, group in enumerate(groups):
            behind = clause[group.end : groups[at + 1].start if at + 1 < len(groups) else None]
            if group.is_label and _claim(group, clause[: group.start], behind) is not None:
                kept |= group.options
    if kept:
        yield _Claim(kept, _Strength.MENTIONED)


def _says_text(clause: str, choices: Sequence[str]) -> frozenset[int] | None:
    """The option that a clause comes to by its own text, or by its number."""
    for candidate in candidates(clause):
        found = [i for i, choice in enumerate(choices) if same_answer(candidate, choice)]
        if found:
            return frozenset(found)
    numbers = [(i, quantity) for i, c in enumerate(choices) if (quantity := read_quantity(c))]
    stated = find_quantities(clause)
    found = [i for i, quantity in numbers if any(one.close_to(quantity) for one in stated)]
    return frozenset(found) if found else None


def _denies_at_end(clause: str, end: int) -> bool:
    return end < len(clause) and bool(re.search("(?:ません|ない|誤り|間違い)(?:です)?$", clause))


def _by_content(clause: str, choices: Sequence[str]) -> frozenset[int] | None:
    """The only option all of whose content words a clause has, in whatever order."""
    from vlmbench.text.words import content_words

    said = content_words(clause)
    found = [
        i for i, c in enumerate(choices) if len(words := content_words(c)) >= 2 and words <= said
    ]
    return frozenset(found) if len(found) == 1 else None
