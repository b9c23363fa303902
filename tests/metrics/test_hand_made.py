"""Answers made up to be hard, beside what a careful reader of Japanese says of them.

All cases in hand_made/*.jsonl were written by hand for this project, with the reader's verdict
written down before the program's was looked at; there is no other source. Afterwards six
verdicts were corrected, two more when any form of an option's verb came to count, nine more when
writings (㈱, 03(1234), 3対2, 元日, 税込 ...) were first read, and two dozen cases left out on
which readers may differ. Where the program disagrees, the case stays and is named in KNOWN with
the reason.

Of `explained_choices` and `short_kinds`, which follow the kinds of answers that chat models write,
eleven sets were made one after the other. At their first run, before any rule was mended for them,
the program read 91, 95, 94, 93 %, then 90 (of 353), 91 (274), 94 (255), 86 (242), 97 (224), 97
(178) and 98 % (152) as the reader did. Seven of these were left out on which readers may differ.
Six later sets, most of them of kinds known to be read badly, gave 92.0 (of 150), 73 (257),
93 (175), 90 (167), 88 (114) and 92 % (119). Of these 982 answers 967 are here: about nine were left
out because readers may differ, because they are contrived or because they are simply not read;
why the others are missing is not recorded. The first of the six, and 149 more answers that gave
91.3 % at their first run, were written by an author who had not seen the code. From the errors in
those 149 came 158 answers of the same kinds, near-wrong ones among them, of which 54 % were read
as the reader did before any rule was mended, and two more sets that gave 88 (of 120) and 87 %
(92) at their first runs afterwards. Of all these, one verdict was corrected (35.2% is 35% within
the tolerance) and five cases are not here: one of a degree (match.anls), three on which readers
may differ and a contrived one. Ten on yes and no were written when their rule was: before it
six were read as the reader did. Ten on closings (以上です。) came after their rule, too.
Last, an author who had not seen the code wrote a sibling of each of 160 answers of the reference
cases: 98.1 % at their first run before the rules of these sets, 98.8 % after. Seventeen answers
that there is no picture, of the kind of one of its two misses, came with their rule.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vlmbench.metrics.base import Answer, load_metric
from vlmbench.text.choices import read_choice
from vlmbench.text.numbers import read_quantity
from vlmbench.text.option_mentions import LETTERS

CASES = Path(__file__).parent / "hand_made"

KNOWN = {
    ("その情報は画像に含まれていません。", "いいえ"): "may answer whether it is in the image",
    ("2ダース", "24本"): "a dozen is counted as 12個",
    ("10:20", "10対20"): "a ratio is written with : too",
    ("(株)山田", "山田株式会社"): "株式会社 counts as one writing, before the name or behind it",
    ("ふじさん", "富士山"): "the dictionary has one reading of a word, here フジヤマ",
    ("日本", "にほん"): "the dictionary has one reading of a word, here ニッポン",
    ("2匹の猫", "猫2匹"): "a counted thing is not taken apart",
    ("みかんとりんご", "りんご、みかん"): "と inside hiragana may belong to a word, as in とまと",
    ("インターフェース", "インタフェース"): "a long vowel inside a word makes another word",
    (
        "そばのようにも見えますが、麺の太さからするとうどんでしょう。",
        "うどん",
    ): "MeCab reads とうどん as one word",
    ("8月10日", "8月"): "a date that is more exact than asked is taken",
    ("全部で5人です。左に2人、右に3人います。", "3人"): "that a breakdown adds up is not seen",
    ("身長は1メートル75センチです。", "175cm"): "lengths of two units are not added",
    ("毎週火曜日", "毎週火曜"): "a weekday inside a phrase has one writing",
    (
        "主人公の名前はメロス、友人の名前はセリヌンティウスです。",
        "メロス",
    ): "of two that are said side by side without a verb the last is read",
    ("利益は 500 - 320 = 180（万円）となります。", "180万円"): "a unit in parentheses",
    (
        "2023年度の純利益は△5.3億円、つまり5.3億円の赤字です。",
        "-5.3億円",
    ): "赤字 is not read as a minus",
    ("比率は0.75（=75%）です。", "75%"): "of two values the one in brackets is not taken",
    (
        "候補は3つありますが、最も安いのは1,280円のプランです。",
        "1280円",
    ): "of two topics that が sets apart the first one's number is read",
    ("答えは京都です。いや、本当にきれいな街ですね。", "京都"): "いや is no correction here",
    (
        "これは世界で最も高い山です（エベレスト）。",
        "エベレスト",
    ): "a name in brackets behind a sentence",
}

KNOWN_CHOICES = {
    "低気圧が接近すればBになりますし、それればAになります。": "two conditions in one clause",
    "はじめは曇りで、のちに雨となるでしょう。": "のちに is not のち in the dictionary",
    "もし合計が100%だとすると、残りは12%になります。": "suppositions state nothing",
    "数えると3個…ではなく、影に隠れた1個を含めて4個ですね。": "two numbers in the last sentence",
    "BよりAの方が高くなっています。": "options that differ in the order of two letters",
    (
        "牛乳パックは洗って開いて乾かせばリサイクルが可能です。燃えるごみとして出すこともできますが、"
        "表の注意書きではリサイクルが指定されています。"
    ): "リサイクルが可能 is another form of words than リサイクルできる",
    "中国がトップで、インドが続きます。": "two subjects, and a rank that is not listed",
}


def cases(kind: str) -> list[dict[str, Any]]:
    lines = (CASES / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("case", cases("choice"), ids=lambda case: case["text"][:20])
def test_choice(case: dict[str, Any]) -> None:
    position = read_choice(case["text"], case["options"])
    assert (None if position is None else LETTERS[position]) == case["expected"]


def test_explained_choices() -> None:
    """A wrong letter is worse than none, so both are counted."""
    wrong, none = [], []
    for case in cases("explained_choices"):
        position = read_choice(case["text"], case["options"])
        letter = None if position is None else LETTERS[position]
        if letter != case["expected"] and case["text"] not in KNOWN_CHOICES:
            (none if letter is None else wrong).append(case["text"])
    assert (wrong, none) == ([], [])


def test_short_kinds() -> None:
    made = cases("short_kinds")
    differing = {
        (case["text"], case["reference"])
        for case in made
        if load_metric(f"match.{case['metric']}")
        .score(Answer(case["text"], (case["reference"],), meta={"answer_type": "yesno"}))
        .vector
        != (case["expected"],)
    }
    assert differing == {(case["text"], case["reference"]) for case in made} & KNOWN.keys()


@pytest.mark.parametrize("name", ["states", "same"])
def test_short_answers(name: str) -> None:
    metric = load_metric(f"match.{name}")
    differing = {
        (case["text"], case["reference"])
        for case in cases(name)
        if metric.score(Answer(case["text"], (case["reference"],))).vector != (case["expected"],)
    }
    assert differing == {(case["text"], case["reference"]) for case in cases(name)} & KNOWN.keys()


@pytest.mark.parametrize("case", cases("quantities"), ids=lambda case: case["text"][:20])
def test_quantities(case: dict[str, Any]) -> None:
    found = read_quantity(case["text"])
    if case["value"] is None:
        assert found is None
    else:
        assert found is not None
        assert (found.value, found.unit) == (pytest.approx(case["value"]), case["unit"])
