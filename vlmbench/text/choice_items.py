"""Options that an answer copies out of the question, or goes through one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlmbench.text.choice_phrases import APPOSITION, SAYS_NO, SAYS_YES, SEPARATOR, WITHDRAWS_ALL
from vlmbench.text.option_mentions import CLOSE, KANA, LETTERS, OPEN, option_mentions


def without_copies(lines: str, choices: Sequence[str]) -> tuple[list[tuple[int, str]], str]:
    """Option and text of what is said option by option, and the lines without it.

    A line that has an option and nothing else is no part of that list if it is the only such line,
    or stands below a list of all options or a line that withdraws what stands above.
    """
    heads = [(line, _head(line, choices)) for line in _not_withdrawn(lines.split("\n"), choices)]
    bare = {head[0] for _, head in heads if head and not head[1]}
    kept, items = list[str](), list[tuple[int, str]]()
    listed = set[int]()
    for line, head in heads:
        is_answer = head and not head[1] and (len(bare) == 1 or len(listed) == len(choices))
        if head is None or is_answer:
            kept.append(line)
        else:
            items.append(head)
            listed.add(head[0])
    options = {option for option, _ in items}
    if len(options) < 2 and not (options and bare):
        return [], _without_list(lines, choices)
    return items, _without_list("\n".join(kept), choices)


def _not_withdrawn(lines: list[str], choices: Sequence[str]) -> list[str]:
    """The lines below the last one that only takes back what stands above it."""
    for at in range(len(lines) - 1, 0, -1):
        only_withdraws = WITHDRAWS_ALL.match(lines[at]) and not option_mentions(lines[at], choices)
        if only_withdraws and any(_head(line, choices) for line in lines[at + 1 :]):
            return lines[at + 1 :]
    return lines


_HEAD = re.compile(
    rf"^[#>\-・•●■→⇒✅☑✔👉 ]{{0,6}}{OPEN}(?:選択肢|option|choice)? ?$", re.IGNORECASE
)
_MAY_BE_HEAD = re.compile(
    r"\W{0,14}(?:選択肢|option|choice)?\W{0,8}(?:[A-Za-z0-9ァ-ヺ]|[一二三四五六七八九])"
    "(?:番|[^A-Za-zァ-ヺ一-鿿]|$)",
    re.IGNORECASE,
)
_MAY_BE_TEXT_HEAD = re.compile(r"\W{0,6}[^:…‥―→⇒–\-]{1,30}(?:[:…‥―]|[-–→⇒] )")
_TEXT_HEAD_END = re.compile(f"^{CLOSE}(?:\\([A-Z]\\))? ?(?:[:…‥―]|[-–→⇒] )")
"""What follows an option's own text at the head of its line: なす…紫."""
_HEAD_END = re.compile(rf"^{CLOSE}番?(?:$|[.:,、。)(「『\-–―/|→=…]|(?<= )\S)")


def _head(line: str, choices: Sequence[str]) -> tuple[int, str] | None:
    """The option whose label begins a line, and what else the line says than its text."""
    if not (_MAY_BE_HEAD.match(line) or _MAY_BE_TEXT_HEAD.match(line)):
        return None
    mentions = option_mentions(line, choices)
    if not mentions or mentions[0].kind == "ordinal":
        return None
    first, *others = mentions
    after = line[first.end :]
    if first.kind == "text" and not _TEXT_HEAD_END.match(after):
        return None
    if not _HEAD.match(line[: first.start]) or not _HEAD_END.match(after):
        return None
    between = line[first.end : others[0].start] if others else ""
    if others and others[0].kind == first.kind and SEPARATOR.fullmatch(between):
        return None
    if others and others[0].option == first.option and APPOSITION.fullmatch(between):
        after = line[others[0].end :]
    return first.option, after.strip(" .:、,)]*_`」』。")


def _without_list(lines: str, choices: Sequence[str]) -> str:
    """The lines without a list of the options in one sentence: A 金閣寺、B 銀閣寺、C 清水寺."""
    if len(choices) < 2 or not all(choice in lines for choice in choices[:26]):
        return lines
    for first in _LISTED.finditer(lines):
        end = first.start()
        for at, choice in enumerate(choices[:26]):
            found = _LISTED.match(lines, end)
            labels = (LETTERS[at], KANA[at : at + 1], str(at + 1))
            if (
                not found
                or found["label"] not in labels
                or not lines.startswith(choice, found.end())
            ):
                break
            end = found.end() + len(choice)
        else:
            return _LIST_HEAD.sub("", lines[: first.start()]) + lines[end:]
    return lines


_LISTED = re.compile(
    rf"[、,/ ;]{{0,3}}{OPEN}(?P<label>[A-Zァ-ヺ]|[0-9]{{1,2}}){CLOSE}[.:)、 ]{{0,3}}"
)
_LIST_HEAD = re.compile("選択肢(?:は|:)? ?$")


def of_items(items: Sequence[tuple[int, str]]) -> frozenset[int] | None:
    """The only option that a list calls right, else the only one that it does not call wrong."""
    right, wrong, open_ = set(), set(), set()
    for option, said in items:
        if re.search(SAYS_NO, said, re.IGNORECASE):
            wrong.add(option)
        elif re.search(SAYS_YES, said, re.IGNORECASE):
            right.add(option)
        else:
            open_.add(option)
    if len(right) == 1:
        return frozenset(right)
    if not right and wrong and len(open_) == 1:
        return frozenset(open_)
    return None
