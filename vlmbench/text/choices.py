"""Which option of a multiple-choice question an answer in Japanese (or English) chooses.

    B   （Ｂ）   **B**   B：東京タワー   答えはＢです   選択肢Bが正解   A ではなく B です
    \\boxed{B}   イ   ②   2番   東京タワー（the option's own text）

The answer is read as statements (`statements`), each of which may claim an option or deny it.
Options that are only copied out are passed over, and so is what is said about an option without
choosing it (選択肢Aは上野駅です). The strongest claim decides, of equally strong ones the last.
Nothing is guessed: where two options are left, or none, the answer cannot be parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from enum import IntEnum

from vlmbench.text import choice_phrases as phrases
from vlmbench.text.choice_items import of_items, without_copies
from vlmbench.text.containment import contains_words
from vlmbench.text.equivalence import same_answer
from vlmbench.text.extract import bare_statement, boxed, candidates, tagged_answer
from vlmbench.text.japanese import answer_form, surface_form
from vlmbench.text.numbers import find_quantities, read_quantity
from vlmbench.text.option_mentions import (
    CLOSE,
    LETTERS,
    UNKNOWN_COUNT,
    option_mentions,
)
from vlmbench.text.reasoning import answer_lines
from vlmbench.text.refusal import is_refusal
from vlmbench.text.statements import Statement, every_statement, statements, without_struck
from vlmbench.text.synonyms import bare_yes_no, begins_with_yes_or_no
from vlmbench.text.words import content_words, is_negative, predicate

CHOICE_FORM = "choice-ja6"
"""Version of `read_choice`."""

_SHORT = 40
"""Characters of an answer in which a label counts wherever it stands."""

_ANSWER_MARK = re.compile(r"^A ?[:.] ?(?=\W{0,2}[B-Zァ-ヺ1-9]\W*\Z)", re.MULTILINE)
"""A for "answer", where only a letter follows."""


class _Strength(IntEnum):
    """How surely a statement chooses an option."""

    MENTIONED = 1
    """The only option that is named at the end."""
    SEEMS = 2
    """What the last sentence comes to."""
    STATED = 3
    CHOSEN = 4
    """Called right, decided for, or all that stands there."""
    ANSWERED = 5
    """Announced as the answer: 答えはB."""


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

    1. A refusal chooses nothing, unless it goes on to a guess (強いて言えばB).
       Of a \\boxed{}, an <answer> or an "answer" in JSON only the content is read.
    2. An answer that is an option's text, or begins as one option alone does, is that option.
    3. Options copied out of the question are dropped. What the rest says option by option (a line
       each) counts only if nothing else is stated: the only one called right, or not called wrong.
       A line that only withdraws (訂正します。) takes back all lines above it.
    4. Of every statement: what stands before が, しかし or "but" counts only if nothing follows;
       "because …", suppositions (もしAなら), questions, sentences about the answer and what stands
       below a heading such as 理由 do not count, nor what a sentence with ただし excepts (one that
       announces the answer excepts nothing); a sentence that begins with いや, しかし or "Wait"
       withdraws those before it, and so does a clause that only takes back (撤回いたします). Behind
       a closing 「いずれも違います」 only a claim counts. Denied options (Aは誤り, AではなくB,
       Aより) are left out; a denial of everything else (A以外に考えられません) chooses.
    5. A claim is, from strong to weak: an option announced as the answer (答えはB); one called
       right (Bが正しい, "B is correct"), chosen (Bと判断します), alone in its line, or a yes or no
       that a sentence begins with (いいえ、…), where they are options; one that a
       sentence ends with (写真の山は富士山です), where it names several only one that it sets off
       (最も多いのはBの46%で、Aは38%です); the only one that the last sentence names and does
       not only describe (Bは…), or ends with in any form of its verb (変わりません for 変わらない),
       or whose content or part it says; the only label of a short answer.
       The strongest counts, of equal ones the last. Of two joined by または, and of a row such as
       AからDのいずれか, none counts.

    An option that is a time of day counts in any writing of it (11:15発 for 11時15分).
    A label beyond the options is none. Where an option is a number itself, a number is a label only
    beside 番 or 選択肢 or in parentheses.
    """
    lines = answer_lines(_with_plain_circles(text, choices))
    if (content := boxed(lines)) is not None or (content := tagged_answer(lines)) is not None:
        lines = content
    if not lines:
        return None
    if is_refusal(lines) and not _is_option(lines, choices):
        if not (ventured := _VENTURES.search(lines)):
            return None
        lines = lines[ventured.start() :]
    lines = _ANSWER_MARK.sub("", lines)
    if (whole := _whole_text(lines, choices)) is not None:
        return whole
    items, rest = without_copies(without_struck(lines), choices)
    found = _chosen(rest, choices)
    if found is None and items:
        found = of_items(items)
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


def _is_option(lines: str, choices: Sequence[str]) -> bool:
    """Whether what sounds like a refusal is an option: 読み取れない."""
    form = answer_form(lines)
    said = [predicate(sentence) for sentence in re.split("[。\n]", lines[:200]) if sentence]
    return any(
        is_refusal(choice)
        and (
            form.endswith(answer_form(choice))
            or ((words := predicate(choice)) and any(one[-len(words) :] == words for one in said))
        )
        for choice in choices
    )


def _with_plain_circles(text: str, choices: Sequence[str]) -> str:
    """The text with ④ as (4), so that ④二酸化炭素 does not become 4二酸化炭素."""
    if not _CIRCLED.search(text) or any(map(_CIRCLED.search, choices)):
        return text
    return _CIRCLED.sub(lambda one: f"({ord(one[0]) - ord('①') + 1})", text)


_PIECES = re.compile("[、,]|(?<=[一-鿿])と(?=[一-鿿])")
_VENTURES = re.compile("(?:強いて|しいて|あえて|敢えて|推測(?:で|する[とな])|(?:一|1)つ選ぶ[とな])")
"""What leads to a guess behind a refusal: 判断できません。強いて言えばBです。"""
_HEDGE = re.compile(
    "かも(?:しれ|知れ)(?:ません|ない)$|(?:よう|みたい|らしい)$"
    "|ように(?:見え|思え)(?:ます|る)$"
    "|と(?:読め|読み取れ|見て取れ|分か|わか|言え|いえ|判断でき)(?:り?ます|る)$"
)
_CLAUSE_END = re.compile("[、,。!?\n]|[.](?= |$)")
_CIRCLED = re.compile("[①-⑳]")
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
    longest = max(map(len, choices), default=0)
    # A yes or no may be a sentence, any other option is not much shorter than its answer.
    slack = _SHORT if any(bare_yes_no(option) is not None for option in options) else 12
    short = "\n" not in lines and len(lines) <= 2 * longest + slack
    if not found and short and _is_plain(lines):
        found = [i for i, choice in enumerate(choices) if same_answer(lines, choice)]
    return found[0] if len(found) == 1 else None


def _is_plain(lines: str) -> bool:
    """Whether nothing is withdrawn or conceded, and not all are left open."""
    return not phrases.NONE_OF_THEM.search(lines) and all(
        not one.withdraws and len(one.clauses) == 1 for one in statements(lines)
    )


def _chosen(lines: str, choices: Sequence[str]) -> frozenset[int] | None:
    """The options of the strongest claim of the statements."""
    none_is_option = any(map(phrases.NONE_OF_THEM.search, choices))
    if not none_is_option and (behind := _behind_none(lines)) is not None:
        return _chosen(behind, choices) if _is_chosen_in(behind, choices) else frozenset()
    stated, every = statements(lines), every_statement(lines)
    claims = _all_claims(stated, choices)
    if not claims and stated and phrases.ANSWER_DENIED.search(stated[-1].clauses[0]):
        return frozenset()
    if not claims:
        claims += _leading(lines, choices)
    if not claims and len(every) > len(stated):
        claims += _all_claims(every, choices)
    for statement in stated[-2:-5:-1]:
        claims = claims or list(_claims(statement, choices, last=True))
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


def _behind_none(lines: str) -> str | None:
    """What follows a closing 「いずれも当てはまりません」, None where there is no such clause."""
    tail = lines[-200:]
    *_, found = [None, *phrases.NONE_OF_THEM.finditer(tail)]
    if found is None or phrases.CUED_AT_END.search(tail[-60:]):
        return None
    end = _CLAUSE_END.search(tail, found.end())
    return tail[end.end() :].strip() if end else ""


def _is_chosen_in(lines: str, choices: Sequence[str]) -> bool:
    """Whether an option is not only named: どれも完全ではありませんが、最も近いのはBです。"""
    claims = _all_claims(statements(lines), choices) if lines else []
    return any(claim.strength >= _Strength.STATED for claim in claims)


def _all_claims(stated: Sequence[Statement], choices: Sequence[str]) -> list[_Claim]:
    """What the statements claim and do not withdraw.

    Where an option is chosen outright, what other sentences merely say is not read: it takes most
    of the time and could not win.
    """
    claims = _claims_of(stated, choices, merely_said=False)
    if any(claim.strength >= _Strength.CHOSEN for claim in claims):
        return claims
    return _claims_of(stated, choices, merely_said=True)


def _claims_of(
    stated: Sequence[Statement], choices: Sequence[str], *, merely_said: bool
) -> list[_Claim]:
    claims: list[_Claim] = []
    withdrawn: list[_Claim] = []
    read: dict[tuple[Statement, bool], list[_Claim]] = {}  # models say the same a thousand times
    for statement in stated:
        said = merely_said or statement.withdraws or len(statement.clauses) > 1
        last = statement is stated[-1]
        own = read.get((statement, last))
        if own is None:
            own = list(_claims(statement, choices, last=last, merely_said=said))
            read[statement, last] = own
        main = statement.clauses[0]
        takes_back = phrases.TAKES_BACK.match(main) and not option_mentions(main, choices)
        if takes_back or (
            statement.withdraws and (own or phrases.WITHDRAWS_ALL.match(statement.text))
        ):
            claims, withdrawn = [], claims or withdrawn
        if not takes_back:
            claims += own
        if not own and phrases.ANSWER_DENIED.search(main):
            denied = _ruled_out(main, choices)
            claims = [one for one in claims if not one.options <= denied]
    return claims or withdrawn


def _ruled_out(clause: str, choices: Sequence[str]) -> Set[int]:
    placed = _placed_groups(clause, choices)
    found = [one.options for one, before, behind in placed if _is_ruled_out(before, behind)]
    return frozenset[int]().union(*found)


def _claims(
    statement: Statement, choices: Sequence[str], *, last: bool, merely_said: bool = True
) -> Iterator[_Claim]:
    """What a statement claims; conceded clauses only where the main one claims nothing."""
    for at, clause in enumerate(statement.clauses):
        if phrases.ALL_DENIED.match(clause):
            return
        found = list(_clause_claims(clause, choices, last=last, merely_said=merely_said))
        if at and phrases.SEEMED.search(clause):
            found = [_Claim(claim.options, _Strength.MENTIONED) for claim in found]
        if found:
            yield from found
            return


def _clause_claims(
    clause: str, choices: Sequence[str], *, last: bool, merely_said: bool
) -> Iterator[_Claim]:
    claimed, ruled_out, texts = list[_Claim](), set[int](), list[_Group]()
    named, said = list[tuple[_Group, str]](), list[tuple[_Group, str]]()
    listed = 0
    placed = list(_placed_groups(clause, choices))
    for group, before, behind in placed:
        all_of_them = len(group.options) == len(choices) > 2
        if all_of_them or (len(group.options) > 1 and phrases.FIELD.match(behind)):
            listed = group.end
            continue  # the options copied out, or those among which it chooses
        if not group.is_label:
            texts.append(group)
        if (claim := _claim(group, before, behind)) is not None:
            claimed.append(claim)
            said.append((group, behind))
        elif _is_ruled_out(before, behind):
            ruled_out |= group.options
        else:
            named.append((group, behind))
    several = len(texts) > 1 and _says_several(clause, texts, ruled_out)
    if several and all(one.strength <= _Strength.STATED for one in claimed):
        # 両端が最大値と最小値、印が平均値に当たります: what each of them is, and none is chosen.
        named, claimed = [*named, *said], list(_focused(placed))
    if claimed:
        yield from claimed
        return
    if not merely_said:
        return
    if listed:  # りんご、みかん、ぶどうが並んでいます says no more of the last one
        clause = clause[listed:]
    describes = several and clause.count("は") > 1  # 犬は左に、猫は右にいます
    if not (describes or any(group.is_label for group, _ in named)) and (
        text := _says_text(clause, choices, ruled_out)
    ):
        yield _Claim(text, _Strength.CHOSEN if _is_outright(clause, choices) else _Strength.STATED)
    elif last and (seems := _seems(clause, named, choices)):
        yield _Claim(seems, _Strength.SEEMS)


def _says_several(clause: str, texts: Sequence[_Group], ruled_out: Set[int]) -> bool:
    """Whether a clause names several options, where it does not only lead on: …とあるので、…"""
    leads_on = max((found.end() for found in phrases.LEADS_ON.finditer(clause)), default=0)
    open_ = {one.options for one in texts if one.start >= leads_on and not one.options <= ruled_out}
    return len(open_) > 1


def _focused(placed: Sequence[tuple[_Group, str, str]]) -> Iterator[_Claim]:
    """The option that a clause sets off from others: 最も多いのはBの46%で、Aは38%です.

    The one that the clause ends with, else that of a superlative. Where two superlatives, or two
    things that are no superlatives, differ, none: 左にいるのは犬で、右にいるのは猫です.
    """
    found: dict[bool, set[frozenset[int]]] = {True: set(), False: set()}
    last: tuple[bool, frozenset[int]] | None = None
    lead = ""
    for group, before, behind in placed:
        lead = lead or before  # 最も多いのはAではなくBで: the same clause
        focused = phrases.FOCUS.search(lead) and phrases.FOCUSED.match(behind)
        superlative = bool(phrases.SUPERLATIVE.search(lead))
        lead = lead if phrases.REPLACED.match(behind) else ""
        if focused and not _is_ruled_out(before, behind):
            found[superlative].add(group.options)
            if superlative or focused["ends"] is not None or last is None:
                last = superlative, group.options
    if last and len(found[last[0]]) == 1:
        yield _Claim(last[1], _Strength.STATED)


def _placed_groups(clause: str, choices: Sequence[str]) -> Iterator[tuple[_Group, str, str]]:
    """The groups of a clause, each with what stands before and behind it up to its neighbors."""
    groups = _groups(clause, choices)
    for at, group in enumerate(groups):
        start = groups[at - 1].end if at else 0
        end = groups[at + 1].start if at + 1 < len(groups) else len(clause)
        yield group, clause[start : group.start], clause[group.end : end]


def _claim(group: _Group, before: str, behind: str) -> _Claim | None:
    """What is claimed of a group, None where it is denied or only named."""
    if phrases.NOTHING_ELSE.match(behind):
        return _Claim(group.options, _Strength.CHOSEN)
    if (others := phrases.ALL_BUT.match(behind)) and phrases.DENIED.search(
        "は" + behind[others.end() :]
    ):
        return _Claim(group.options, _Strength.CHOSEN)
    if _is_ruled_out(before, behind):
        return None
    if group.is_label and phrases.CHANGED.match(behind):
        return _Claim(group.options, _Strength.ANSWERED)
    if phrases.CUE.search(before):
        named = phrases.ANSWERS.search(before)
        return _Claim(group.options, _Strength.ANSWERED if named else _Strength.CHOSEN)
    if phrases.NAMED.fullmatch(before) and phrases.ENDS.match(behind):
        return _Claim(group.options, _Strength.CHOSEN)
    if phrases.IS_RIGHT.match(behind) or (group.is_label and phrases.IS.match(behind)):
        also = bool(re.match(f"{CLOSE}番?[はも]", behind))
        return _Claim(group.options, _Strength.CHOSEN, also)
    if (
        phrases.IS.match(behind)
        or phrases.HAS_VALUE.match(behind)
        or (group.is_label and phrases.ANY_VERB.match(behind))
    ):
        return _Claim(group.options, _Strength.STATED)
    return None


def _is_ruled_out(before: str, behind: str) -> bool:
    """Whether an option is denied, replaced or only possible."""
    ruling_out = (phrases.REPLACED, phrases.COMPARED, phrases.UNSURE, phrases.DENIED)
    return bool(
        phrases.DENIED_BEFORE.search(before) or any(pattern.match(behind) for pattern in ruling_out)
    )


def _seems(
    clause: str, named: Sequence[tuple[_Group, str]], choices: Sequence[str]
) -> frozenset[int] | None:
    """The only option that the last clause names, or whose content it has."""
    if not named:
        if _says_another(clause, choices):
            return None
        return (
            _by_predicate(clause, choices)
            or _by_content(clause, choices)
            or _by_part(clause, choices)
        )
    group, behind = named[0]
    if len({one.options for one, _ in named}) > 1:
        return None
    chosen = (
        not phrases.DESCRIBED.match(behind)
        if group.is_label
        else not _denies_at_end(clause, group.end)
    )
    return group.options if chosen else None


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
        if (before.is_label and not label and phrases.APPOSITION.fullmatch(between)) or (
            not before.is_label
            and label
            and before.options == mine.options
            and phrases.APPOSITION.fullmatch(between)
        ):
            groups[-1] = _Group(before.options, before.start, one.end, is_label=True)
        elif (
            before.is_label
            and label
            and phrases.RANGE.fullmatch(between)
            and not phrases.CHANGED.match(clause[one.end :])
        ):
            row = frozenset(range(min(before.options), one.option + 1))
            groups[-1] = _Group(before.options | mine.options | row, before.start, one.end, label)
        elif phrases.CHANGED.match(clause[one.end :]) and phrases.SEPARATOR.fullmatch(between):
            groups[-1] = mine  # D → E に修正
        elif before.is_label == label and phrases.SEPARATOR.fullmatch(between):
            groups[-1] = _Group(before.options | mine.options, before.start, one.end, label)
        else:
            groups.append(mine)
    return groups


def _mentioned(lines: str, choices: Sequence[str]) -> Iterator[_Claim]:
    """The only label of a short answer."""
    kept = frozenset[int]()
    for clause in lines.split("\n"):
        for group, before, behind in _placed_groups(clause, choices):
            if group.is_label and not _is_ruled_out(before, behind):
                kept |= group.options
    if kept:
        yield _Claim(kept, _Strength.MENTIONED)


def _leading(lines: str, choices: Sequence[str]) -> Iterator[_Claim]:
    """The label that the answer begins with, set off from what follows."""
    group, before, behind = next(_placed_groups(lines.partition("\n")[0], choices), (None, "", ""))
    if group and group.is_label and not before and phrases.LEADS.match(behind):
        yield _Claim(group.options, _Strength.STATED)


def _says_text(
    clause: str, choices: Sequence[str], ruled_out: Set[int] = frozenset()
) -> frozenset[int] | None:
    """The option that a clause comes to by its own text, or the only one whose number it has."""
    open_ = [(i, choice) for i, choice in enumerate(choices) if i not in ruled_out]
    for candidate in candidates(clause):
        found = [
            i
            for i, choice in open_
            if _may_be(candidate, choice) and same_answer(candidate, choice)
        ]
        if found:
            return frozenset(found)
    stated = find_quantities(clause)
    found = [
        i
        for i, choice in open_
        if (quantity := read_quantity(choice)) and any(one.close_to(quantity) for one in stated)
    ]
    return frozenset(found) if len(found) == 1 else None


def _is_outright(clause: str, choices: Sequence[str]) -> bool:
    """Whether it begins with the yes or no that is asked for, which a later ます does not undo."""
    return begins_with_yes_or_no(answer_form(clause)) and any(
        bare_yes_no(answer_form(choice)) is not None for choice in choices
    )


def _may_be(candidate: str, choice: str) -> bool:
    """Whether a candidate is not far too long for an option, which is quicker than comparing."""
    return len(candidate) <= 6 * len(choice) + 12 or bare_yes_no(answer_form(choice)) is not None


def _denies_at_end(clause: str, end: int) -> bool:
    return end < len(clause) and bool(
        re.search(
            "(?<!間違いあり)(?<!違いあり)(?<!間違いござい)(?<!しれ)(?:ません|(?<!違い)ない|誤り|間違い)(?:です)?$",
            clause,
        )
    )


def _by_part(clause: str, choices: Sequence[str]) -> frozenset[int] | None:
    """The only option in which a clause's answer occurs: 緑です for 緑の屋根の家."""
    forms = [answer_form(choice) for choice in choices]
    if not re.search(
        "(?:です|でした|だ|である|でしょう|にあ(?:ります|る)|と[推判考][^、。]{1,6}ます)$|「",
        clause,
    ):
        return None
    for candidate in candidates(clause)[1:]:
        part = answer_form(candidate)
        if len(part) >= 2 or re.fullmatch("[一-鿿]", part):
            found = [i for i, form in enumerate(forms) if contains_words(form, part, True)]
            if len(found) == 1:
                return frozenset(found)
    return None


def _by_predicate(clause: str, choices: Sequence[str]) -> frozenset[int] | None:
    """The only option that a clause ends with in whatever form: 変わりません for 変わらない."""
    predicates = [predicate(choice) for choice in choices]
    if not any(predicates):
        return None
    said = predicate(clause)
    found = _ended(said, predicates) or _ended(
        predicate(_HEDGE.sub("", bare_statement(clause))), predicates
    )
    return frozenset(found) if len(found) == 1 else None


def _ended(said: Sequence[str], predicates: Sequence[Sequence[str]]) -> list[int]:
    """The positions of the longest predicates that a statement ends with."""
    ended = {
        i: len(words)
        for i, words in enumerate(predicates)
        if words and said[-len(words) :] == words and not _follows_another(said[: -len(words)])
    }
    return [i for i, length in ended.items() if length == max(ended.values())]


def _says_another(clause: str, choices: Sequence[str]) -> bool:
    """Whether an option is said beside another: 左の人は歩いていて、右の人は走っています."""
    return (clause.count("は") > 1 or "ながら" in clause) and any(
        _occurs(predicate(choice), predicate(clause)) for choice in choices
    )


def _occurs(words: Sequence[str], said: Sequence[str]) -> bool:
    """Whether a predicate stands inside what is said, and is not denied there."""
    count = len(words)
    return bool(words) and any(
        said[at : at + count] == words and said[at + count] not in ("ない", "も")
        for at in range(len(said) - count)
    )


def _denies(piece: str) -> bool:
    return is_negative(_HEDGE.sub("", bare_statement(piece)))


def _follows_another(said: Sequence[str]) -> bool:
    """Whether what follows is said of more than one: 犬と猫が寝ています."""
    return tuple(said[-1:]) in (("と",), ("や",), ("も",), ("か",)) and said[-2:-1] != ("より",)


def _by_content(clause: str, choices: Sequence[str]) -> frozenset[int] | None:
    """The only option all of whose content words a clause has, in whatever order."""
    clause = phrases.DENIED_NOUN.sub("", clause)
    pieces = [(piece, _denies(piece)) for piece in _PIECES.split(clause)]
    said = {
        denied: content_words("、".join(piece for piece, one in pieces if denied or not one))
        for denied in (any(one for _, one in pieces), False)
    }
    found = [
        i
        for i, choice in enumerate(choices)
        if len(words := content_words(choice)) >= 2
        and words <= said.get(is_negative(choice), frozenset())
    ]
    if len(found) > 1:
        # 金利が上がり、投資が減る is not 金利が下がり、投資が増える: who does what must agree.
        parts = [content_words(part) for part in _PIECES.split(clause)]
        found = [
            i
            for i in found
            if all(
                any(content_words(piece) <= part for part in parts)
                for piece in _PIECES.split(choices[i])
            )
        ]
    return frozenset(found) if len(found) == 1 else None
