"""Choices as people and models phrase them. All made by hand; expected is what a reader takes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.text.choices import choice_index, read_choice
from vlmbench.text.option_mentions import LETTERS

CITIES = ("東京", "大阪", "京都", "名古屋")
NUMBERS = ("10", "20", "30", "40")
FRUITS = ("リンゴ", "バナナ", "ブドウ", "モモ")
SOMETHING = ("はい", "いいえ")

CASES = [
    ("B", "B"),
    ("(B)", "B"),
    ("Ｂ", "B"),
    ("**B**", "B"),
    ("『B』", "B"),
    ("《B》", "B"),
    ("B)", "B"),
    ("（b）", "B"),
    ("b.", "B"),
    ("**答え: B**", "B"),
    ("**B. 大阪**", "B"),
    ("**正解：B**\n\n解説：Aは東京タワーなので違います。", "B"),
    ("\\boxed{\\text{B}}", "B"),
    ("最終的な答えは\\boxed{B}です", "B"),
    ("$\\boxed{B}$", "B"),
    ("答えはＢです", "B"),
    ("答えはBだ。", "B"),
    ("正解はＢの大阪です。", "B"),
    ("B：東京タワー", "B"),
    ("選択肢Bが最も適切です。", "B"),
    ("A ではなく B です", "B"),
    ("Aではありません。Bです。", "B"),
    ("Bを選択します。", "B"),
    ("Bの大阪です。", "B"),
    ("Bの大阪が正解です", "B"),
    ("正しい選択肢はBです。", "B"),
    ("最も適切な選択肢はB。", "B"),
    ("正しいのはBです。", "B"),
    ("解答 B", "B"),
    ("【解答】B", "B"),
    ("【答え】\nB", "B"),
    ("回答: 「B」", "B"),
    ("答えは、選択肢Bの「大阪」です。", "B"),
    ("AまたはBです。", None),
    ("答えはAかBのどちらかです。", None),
    ("イ", "B"),
    ("②", "B"),
    ("2", "B"),
    ("2番", "B"),
    ("２", "B"),
    ("(2)", "B"),
    ("答えは2です", "B"),
    ("正解は②です", "B"),
    ("イです。", "B"),
    ("（イ）", "B"),
    ("ウが正解です", "C"),
    ("3番目の選択肢", "C"),
    ("大阪", "B"),
    ("「大阪」です。", "B"),
    ("写真は大阪です。", "B"),
    ("写真に写っているのは大阪の通天閣です。", "B"),
    ("京都ではなく大阪", "B"),
    ("東京と大阪", None),
    ("福岡", None),
    ("<think>Aかな？Bかな？</think>B", "B"),
    ("<think>Aかな？", None),
    ("<think>\nAです\n</think>\n\n答え：B", "B"),
    ("The correct answer is B.", "B"),
    ("The correct option is (B) 大阪.", "B"),
    ("Option B", "B"),
    ("I think it's B.", "B"),
    ("I choose B", "B"),
    ("B is correct.", "B"),
    ("Answer:\nB", "B"),
    ("answer: b", "B"),
    ("Final Answer: **B**", "B"),
    ("A. 東京\nB. 大阪\nC. 京都\nD. 名古屋", None),
    ("A. 東京：×\nB. 大阪：○\nC. 京都：×\nD. 名古屋：×\n\n正解はB", "B"),
    ("Aは東京の写真ではないので誤りです。Bは大阪の写真なので正しいです。", "B"),
    ("Aは不適切、Cも不適切、Dも不適切です。", None),
    ("AもCもDも違うので、Bです", "B"),
    ("消去法により、残ったBが正解となります。", "B"),
    ("以上のことから、答えはBとなります。", "B"),
    ("Bだと考えられます。", "B"),
    ("おそらくBです", "B"),
    ("Bでしょう。", "B"),
    ("Bかな", "B"),
    ("答えはBになります。", "B"),
    ("Z", None),
    ("E", None),
    ("", None),
    ("該当なし", None),
    ("申し訳ありませんが、画像を確認できません。", None),
    ("わかりません", None),
    ("DVDです", None),
    ("NBA", None),
    ("ビタミンA", None),
    ("Aさんが持っているのはりんごです", None),
    ("図Aと図Bを比べると、Cが正解です。", "C"),
    ("A社の売上はB社より高いので、答えはDです。", "D"),
    ("答え：A\n理由：Bは違う。", "A"),
    ("B\n\nA、C、Dは誤りです。", "B"),
    ('{"answer": "B"}', "B"),
    ("{'answer': 'B'}", "B"),
    ('```json\n{"answer": "B"}\n```', "B"),
    ("<answer>B</answer>", "B"),
    ("答えはB）大阪です", "B"),
    ("B→大阪", "B"),
    ("B = 大阪", "B"),
    ("B;大阪", "B"),
    ("→B", "B"),
    ("👉 B", "B"),
    ("Ｂ：大阪", "B"),
    ("Ｂ　大阪", "B"),
    ("B大阪", "B"),
    ("B、大阪", "B"),
    ("B　です", "B"),
    ("答えはＢ。", "B"),
    ("B\r\n", "B"),
    ("　B　", "B"),
    ("B?", "B"),
    ("答えは「B．大阪」です。", "B"),
    ("正解: B (大阪)", "B"),
    ("答えはBです。A、C、Dは間違いです。", "B"),
    ("正解はAではありません。正解はBです。", "B"),
    ("Bではない。Cです。", "C"),
    ("最初はBだと思いましたが、正解はCです。", "C"),
    ("AよりもBの方が適切です。", "B"),
    ("AよりBのほうが正しい。", "B"),
    ("BもCも正しそうだが、最も適切なのはCである。", "C"),
    ("画像から、B", "B"),
    ("したがって、正解は B です。", "B"),
    ("選択肢の中で正しいものは B です。", "B"),
    ("B が正しい答えです。", "B"),
    ("B（大阪）が正解です。", "B"),
    ("「B：大阪」が正解です。", "B"),
    ("B.大阪が正解です。", "B"),
    ("答えはaです", "A"),
    ("答えは a", "A"),
    ("答えはBでもCでもなくDです", "D"),
    ("Bが誤りです", None),
    ("誤っているのはBです", "B"),
    ("不適切なものはBである", "B"),
    ("B、C", None),
    ("BとCが正しい", None),
    ("全て正しい", None),
    ("B。理由は大阪城があるからです。", "B"),
]

WITH_OTHER_OPTIONS = [
    (NUMBERS, "20", "B"),
    (NUMBERS, "20です", "B"),
    (NUMBERS, "約20です。", "B"),
    (NUMBERS, "2", None),
    (NUMBERS, "2番", "B"),
    (NUMBERS, "選択肢2", "B"),
    (NUMBERS, "20個", "B"),
    (NUMBERS, "25", None),
    (NUMBERS, "10+10=20", "B"),
    (NUMBERS, "答えは３０。", "C"),
    (NUMBERS, "グラフの値は40です", "D"),
    (NUMBERS, "2番の20です", "B"),
    (NUMBERS, "三十", "C"),
    (FRUITS, "りんごです", "A"),
    (FRUITS, "林檎", "A"),
    (FRUITS, "写真の果物はバナナです。", "B"),
    (FRUITS, "バナナが写っています。", "B"),
    (FRUITS, "黄色い果物なのでバナナだと思います", "B"),
    (FRUITS, "葡萄", "C"),
    (FRUITS, "D.もも", "D"),
    (SOMETHING, "はい", "A"),
    (SOMETHING, "いいえ、違います", "B"),
    (SOMETHING, "はい、そうです。", "A"),
    (("A型", "B型", "O型", "AB型"), "AB型です", "D"),
    (("犬", "小犬", "猫", "子猫"), "小犬が写っています", "B"),
    (("a cat", "a dog"), "A dog", "B"),
    (("a cat", "a dog"), "A cat is shown, so the answer is B", "B"),
    ((), "答えはCです", "C"),
    ((), "東京", None),
]

REFERENCES = [
    ("B", 1),
    ("ｂ", 1),
    ("大阪", 1),
    ("②", 1),
    ("イ", 1),
    ("（２）", 1),
    ("E", None),
    ("札幌", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "letter"), CASES)
def test_read_choice(text: str, letter: str | None) -> None:
    assert letter_of(text, CITIES) == letter


@pytest.mark.parametrize(("choices", "text", "letter"), WITH_OTHER_OPTIONS)
def test_the_options_decide(choices: tuple[str, ...], text: str, letter: str | None) -> None:
    assert letter_of(text, choices) == letter


@pytest.mark.parametrize(("reference", "position"), REFERENCES)
def test_choice_index(reference: str, position: int | None) -> None:
    assert choice_index(reference, CITIES) == position


@given(
    st.text(
        st.sampled_from("ABＢイ②2番は、。ではなくがです答え選択肢「」( )\\boxed{}\n誤り正しい大阪"),
        max_size=40,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_mixture_gives_an_option_or_none(text: str) -> None:
    assert read_choice(text, CITIES) in (None, 0, 1, 2, 3)


@pytest.mark.parametrize("letter", "ABCD")
@pytest.mark.parametrize(
    "phrase", ["{}", "答えは{}です。", "{}が正しい", "**{}**", "The answer is {}."]
)
def test_every_letter_is_treated_alike(letter: str, phrase: str) -> None:
    assert letter_of(phrase.format(letter), CITIES) == letter


def letter_of(text: str, choices: tuple[str, ...]) -> str | None:
    position = read_choice(text, choices)
    return None if position is None else LETTERS[position]


@pytest.mark.parametrize(
    ("unit", "options"),
    [
        ("AよりBが高い。", ("AよりBが高い", "BよりAが高い")),
        ("A、", ("A>B", "B>A")),
        ("答えはBです。答えはAではありません。", ("赤", "青")),
        ("最も多いのは赤で、", ("赤", "青")),
        ("9:05発、", ("9時5分", "10時15分")),
    ],
)
def test_long_text_takes_no_square_of_time(unit: str, options: tuple[str, ...]) -> None:
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    read_choice(text, options)
    assert time.process_time() - start < 1
