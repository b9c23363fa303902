"""Forms that are matters of writing in short answers, beside those of a single word.

㈱日立 (株)日立 株式会社日立    03(1234)5678 0312345678    3対2 3-2 3勝2敗    Q3 第3四半期
東京都 東京    1,980円(税込) 税込み1980円    198円/100g 198円
"""

from __future__ import annotations

import re

from vlmbench.text.japanese import answer_form

_MAY_VARY = re.compile(r"[0-9〒税株都県市期元]|会社|法人|\(.{1,2}\)|大晦日|大みそか|inc|ltd")
"""What at least one of two such forms has."""
_COMPANY = re.compile(
    r"株式会社|有限会社|合同会社|\((?:[株有合社財学医独]|[一公][社財])\)|(?:一般|公益)[社財]団法人|(?:学校|医療|独立行政|社会福祉|宗教)法人|,?(?:inc|ltd|co\.,ltd)\.?$"
)
_IDENTIFIER_PACKAGING = re.compile(
    r"^(?:〒|郵便番号:?|tel:?|fax:?|電話(?:番号)?:?|フリーダイヤル:?|携帯(?:電話)?:?)|[-() .・/]"
)
_IDENTIFIER = re.compile(r"0[0-9]{8,10}|[0-9]{7}|0120[0-9]{6}")
_MARKED_IDENTIFIER = re.compile(r"〒|^0[0-9]{1,4}[-(]|^0[0-9]{8,10}$|^[0-9]{3}-[0-9]{4}$")
_SCORE = re.compile(r"([0-9]{1,4})(対|-|:|勝)([0-9]{1,4})(敗?)")
_QUARTER = re.compile(r"^(?:(?:19|20)[0-9]{2}年度?の?)?(?:q([1-4])|([1-4])q|第([1-4])四半期)$")
_HALF = {"上半期": "上期", "下半期": "下期", "前半期": "上期", "後半期": "下期"}
_TAX = re.compile(r"\(?(?:税(込|抜|別)み?き?(?:価格)?|消費税込み?)\)?:?")
_UNIT_PRICE = re.compile(r"(?<=円)/[0-9]*(?:[a-z]{1,2}|個|本|枚|人|月|日|年|時間)$")
_REGION = re.compile("(?<=..)[都県市]$")
_FAREWELL_DAYS = {"元旦": "1月1日", "元日": "1月1日", "大晦日": "12月31日", "大みそか": "12月31日"}


def same_writing(first: str, second: str) -> bool:
    """Whether an answer is its reference as a name, identifier, score or period.

    Both in `answer_form`, the answer first.

    Company forms (株式会社, ㈱), the hyphens and brackets of a telephone number or postal code, the
    ways to write a score, a quarter or half of a business year, 都 県 or 市 behind a place where
    the reference has none, a note on tax (if not both have one and they differ), and the amount of
    a unit price are matters of writing. Digits of identifiers must be equal.
    """
    if not _MAY_VARY.search(f"{first}\n{second}"):
        return False
    return any(rule(first, second) for rule in _RULES)


def _same_company(first: str, second: str) -> bool:
    bare = [_COMPANY.sub("", one) for one in (first, second)]
    return bare[0] == bare[1] != "" and bare != [first, second]


def _same_identifier(first: str, second: str) -> bool:
    if not any(map(_MARKED_IDENTIFIER.search, (first, second))):
        return False
    digits = [_IDENTIFIER_PACKAGING.sub("", one) for one in (first, second)]
    return digits[0] == digits[1] and bool(_IDENTIFIER.fullmatch(digits[0]))


def _same_score(first: str, second: str) -> bool:
    found = [_SCORE.fullmatch(one) for one in (first, second)]
    if not (found[0] and found[1]):
        return False
    spoken = any(one[2] in "対勝" for one in found if one)
    return spoken and found[0].group(1, 3) == found[1].group(1, 3)


def _same_period(first: str, second: str) -> bool:
    quarters = [_QUARTER.match(one) for one in (first, second)]
    if quarters[0] and quarters[1]:
        numbers = [next(filter(None, one.groups())) for one in quarters if one]
        years = [re.match("(?:19|20)[0-9]{2}", one) for one in (first, second)]
        both = years[0] and years[1]
        return numbers[0] == numbers[1] and (not both or years[0][0] == years[1][0])  # type: ignore[index]
    days = [_FAREWELL_DAYS.get(one, _HALF.get(one, one)) for one in (first, second)]
    return days[0] == days[1]


def _same_place(first: str, second: str) -> bool:
    return bool(_REGION.search(first)) and first[:-1] == second


def _same_price(first: str, second: str) -> bool:
    taxes = [_TAX.search(one) for one in (first, second)]
    kinds = [one[1] for one in taxes if one]
    if len(set(kinds)) > 1:
        return False
    bare = [_UNIT_PRICE.sub("", answer_form(_TAX.sub("", one))) for one in (first, second)]
    if all(map(_UNIT_PRICE.search, (first, second))) or bare == [first, second]:
        return False
    return bare[0].replace(",", "") == bare[1].replace(",", "") != ""


_RULES = (_same_company, _same_identifier, _same_score, _same_period, _same_place, _same_price)
