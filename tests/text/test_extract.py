"""Final answers in sentences. All made by hand; expected is what a reader says."""

from __future__ import annotations

import pytest

from vlmbench.text.extract import boxed, marked_answer, says, stated_quantity
from vlmbench.text.reasoning import without_reasoning

SAID = [
    ("答えは東京タワーです。", "東京タワー", True),
    ("これは東京タワーです。", "東京タワー", True),
    ("画像に写っているのは東京タワーです。", "東京タワー", True),
    ("東京タワーが写っています。", "東京タワー", True),
    ("この建物の名前は東京タワーです。", "東京タワー", True),
    ("東京タワーだと思います。", "東京タワー", True),
    ("おそらく東京タワーです", "東京タワー", True),
    ("正解：東京タワー", "東京タワー", True),
    ("Answer: Tokyo Tower", "Tokyo Tower", True),
    ("<think>京都タワーかな</think>東京タワー", "東京タワー", True),
    ("<think>東京タワー", "東京タワー", False),
    ("東京タワーではありません。", "東京タワー", False),
    ("東京タワーではなくスカイツリーです。", "東京タワー", False),
    ("東京タワーではなくスカイツリーです。", "スカイツリー", True),
    ("東京タワーかスカイツリーです", "スカイツリー", False),
    ("東京タワーまたはスカイツリー", "スカイツリー", False),
    ("3匹です。", "3", True),
    ("犬が3匹います。", "3", True),
    ("犬が3匹います。", "3匹", True),
    ("犬が3匹と猫が2匹います。", "3", False),
    ("全部で5個あります。", "5", True),
    ("合計5個です", "5", True),
    ("5つのりんごがあります", "5", True),
    ("りんごは5つあります。", "5個", True),
    ("2020年の売上は300億円です。", "300億円", True),
    ("2020年の売上は300億円です。", "2020", False),
    ("売上は約300億円でした", "300億円", True),
    ("グラフによると、2020年の値は45%です。", "45%", True),
    ("値は45.3です。", "45.3", True),
    ("答えは3.14です。", "3.14", True),
    ("答え：１，２３４円", "1234円", True),
    ("したがって、x = 5 となる。", "5", True),
    ("3 + 4 = 7", "7", True),
    ("3 + 4 = 7", "3", False),
    ("\\boxed{42}", "42", True),
    ("よって $\\boxed{\\frac{1}{2}}$", "1/2", True),
    ("**答え**: 京都", "京都", True),
    ("### 答え\n京都", "京都", True),
    ("男性は帽子をかぶっています。", "帽子", True),
    ("男性が持っているのは傘です。", "傘", True),
    ("傘を持っています。", "傘", True),
    ("それは猫ですね。", "猫", True),
    ("猫です。ソファの上で寝ています。", "猫", True),
    ("赤い傘です", "傘", False),
    ("赤色の傘です", "赤", False),
    ("色は赤です。", "赤", True),
    ("赤い色です。", "赤", True),
    ("店の名前は「山田屋」です。", "山田屋", True),
    ("看板には「山田屋」と書かれています。", "山田屋", True),
    ("山田屋と書かれています。", "山田屋", True),
    ("「止まれ」と書いてあります", "止まれ", True),
    ("はい、写っています。", "はい", True),
    ("いいえ、写っていません。", "いいえ", True),
    ("はい、人が写っています。", "はい", True),
    ("この画像には犬はいません。", "いいえ", True),
    ("2024年5月3日です。", "5月3日", True),
    ("開催日は5月3日です。", "5月3日", True),
    ("There are 3 dogs.", "3", True),
    ("The dog is brown.", "brown", True),
    ("It is a cat.", "cat", True),
    ("It's Tokyo Tower.", "Tokyo Tower", True),
    ("京都府", "京都", False),
    ("30歳ぐらいです", "30", True),
    ("右側にあります。", "右", True),
    ("左から2番目です。", "2", True),
    ("机の上にあります", "机の上", True),
    ("東京都です。", "東京都", True),
    ("申し訳ありませんが、わかりません。", "東京", False),
    ("東京、大阪、京都が写っています", "東京", False),
    ("10円玉が3枚と5円玉が1枚", "3", False),
    ("3人の男性と2人の女性がいます。合計5人です。", "5", True),
    ("計算すると、120÷4=30なので、答えは30円です。", "30円", True),
    ("最高気温は32度、最低気温は25度です。", "32", False),
    ("1位は日本です", "日本", True),
    ("1位は日本です", "1", False),
    ("答えは「はい」です。", "はい", True),
    ("答えは、いいえです", "いいえ", True),
]

REASONING = [
    ("東京", "東京"),
    ("<think>大阪？</think>東京", "東京"),
    ("<think>a</think>b<think>c</think>東京", "東京"),
    ("大阪？</think>\n東京", "東京"),
    ("<THINKING>大阪？</THINKING>東京", "東京"),
    ("<think>まだ考えている", ""),
]

MARKED = [
    ("東京", None),
    ("答えは東京です。次の文", "東京です"),
    ("答え:大阪\n答え:東京", "東京"),
    ("答えは\n東京\n以上", "東京"),
    ("### 解答\n東京\n### 解説\n塔", "東京"),
    ("<answer>東京</answer>", "東京"),
    ("\\boxed{東京} 答えは大阪", "東京"),
    ("The answer is 3.14.", "3.14"),
]

BOXES = [
    ("\\boxed{a}", "a"),
    ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
    ("\\boxed{a} \\boxed{b}", "b"),
    ("\\boxed{a} \\boxed{b", "a"),
    ("boxed{a}", None),
]

QUANTITIES = [
    ("答えは１，２３４円です。", 1234.0, "円"),
    ("犬が3匹います", 3.0, "匹"),
    ("There are three cats.", 3.0, ""),
    ("2020年の売上は300億円です", 300e8, "円"),
]


@pytest.mark.parametrize(("text", "reference", "expected"), SAID)
def test_says(text: str, reference: str, expected: bool) -> None:
    assert says(text, reference) is expected


@pytest.mark.parametrize(("text", "rest"), REASONING)
def test_without_reasoning(text: str, rest: str) -> None:
    assert without_reasoning(text) == rest


@pytest.mark.parametrize(("text", "answer"), MARKED)
def test_marked_answer(text: str, answer: str | None) -> None:
    assert marked_answer(text) == answer


@pytest.mark.parametrize(("text", "content"), BOXES)
def test_boxed(text: str, content: str | None) -> None:
    assert boxed(text) == content


@pytest.mark.parametrize(("text", "value", "unit"), QUANTITIES)
def test_stated_quantity(text: str, value: float, unit: str) -> None:
    quantity = stated_quantity(text)
    assert quantity is not None
    assert (quantity.value, quantity.unit) == (value, unit)


@pytest.mark.parametrize("text", ["", "東京", "3匹と2匹です", "3匹ではありません", "<think>3"])
def test_no_quantity_is_guessed(text: str) -> None:
    assert stated_quantity(text) is None
