from __future__ import annotations

import re
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.text import japanese
from vlmbench.text.japanese import answer_form, normalize, tokenize, tokenizer_identity

ANY_TEXT = st.text(st.characters(), max_size=40)  # lone surrogates included

# Left side as people and models write it; right side by the rules in the docstring of normalize.
NORMALIZED = [
    ("", ""),
    ("ＡＢＣ１２３", "ABC123"),
    ("ｶﾞﾝﾀﾞﾑ", "ガンダム"),
    ("か\u3099", "が"),
    ("㎏", "kg"),
    ("①", "1"),
    ("10²㎡", "10^2m2"),
    ("3½杯", "3 1/2杯"),
    ("10～20", "10〜20"),
    ("10〜20", "10〜20"),
    ("−3", "-3"),
    ("－３", "-3"),
    ("東京—大阪", "東京―大阪"),
    ("すごーーーい", "すごーい"),
    ("待って……", "待って……"),
    ("゛", "゛"),
    ("\u3000東京 \t\n タワー\u3000", "東京 タワー"),
    ("\ufeff東\u200b京", "東京"),
    ("葛\U000e0100城", "葛城"),
    ("a\x00b", "ab"),
    ("\ud800", "\ufffd"),
    ("りんご。", "りんご。"),
    ("Tokyo", "Tokyo"),
]

ANSWERS = [
    ("東京。", "東京"),
    ("東京です。", "東京"),
    ("「東京」です", "東京"),
    ("**富士山**", "富士山"),
    ("（ａ）", "a"),
    ("（あ）と（い）", "(あ)と(い)"),
    ("猫だ", "猫"),
    ("まだ", "まだ"),
    ("猫ですよ。", "猫"),
    ("81.2歳である", "81.2歳"),
    ("富　士　山", "富士山"),
    ("10 KM", "10km"),
    ("。", "。"),
    ("です", "です"),
    ("「」", "「」"),
    ("", ""),
    ("答えは東京です", "答えは東京"),
]


@pytest.mark.parametrize(("text", "expected"), NORMALIZED)
def test_normalize(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_normalize_is_idempotent_on_every_character_in_japanese_and_after_a_digit() -> None:
    for code in range(0x30000):
        text = f"か{chr(code)}1{chr(code)}\u3099"
        assert normalize(normalize(text)) == normalize(text), hex(code)


@given(ANY_TEXT)
@settings(max_examples=200)
def test_normalize_is_idempotent(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@pytest.mark.parametrize(("text", "expected"), ANSWERS)
def test_answer_form(text: str, expected: str) -> None:
    assert answer_form(text) == expected


# fugashi 1.5.2 with unidic-lite 1.0.8 on the command line: fugashi -O wakati
WORDS = [
    ("赤い橋を電車が渡る", "赤い 橋 を 電車 が 渡る"),
    ("猫が寝ている", "猫 が 寝 て いる"),
    ("宮崎駿の映画は、トトロです。", "宮崎 駿 の 映画 は 、 トトロ です 。"),
    ("", ""),
    ("\u3000\n", ""),
    ("ＪＲ\x00東\ud800京", "JR 東 \ufffd 京"),
]


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_tokenize(text: str, words: str) -> None:
    assert tokenize(text) == tuple(words.split())


PLAIN_TEXT = st.text(
    "aZ09 ~\n\t\u3000、。〃々〆〇〈】〒〔〛〜ぁがゖゝゞァヴヺ・ーヽヾ一猫鿿！０Ａ（｝", max_size=30
)


@given(PLAIN_TEXT)
def test_plain_text_is_normalized_as_any_other(text: str) -> None:
    short_way = normalize(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(japanese, "_PLAIN", re.compile("(?!)"))
        assert normalize(text) == short_way


def test_each_plain_character_is_normalized_as_any_other() -> None:
    plain = [c for c in map(chr, range(0x10000)) if japanese._PLAIN.fullmatch(c)]
    assert len(plain) > 21_000
    text = "|".join(plain)
    short_way = normalize(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(japanese, "_PLAIN", re.compile("(?!)"))
        assert normalize(text) == short_way


@given(ANY_TEXT)
def test_words_are_the_text_without_spaces(text: str) -> None:
    assert "".join(tokenize(text)) == "".join(normalize(text).split())


@pytest.mark.parametrize("unit", ["1", "a", "（1", "ア", "猫が寝る。", "😀", "\u3000"])
def test_long_text_takes_no_square_of_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    assert "".join(tokenize(text)) == "".join(normalize(text).split())
    assert time.process_time() - start < 1


def test_long_text_is_cut_between_sentences() -> None:
    sentence = "白い猫が箱の中で寝ています。"
    assert tokenize(sentence * 1000) == tokenize(sentence) * 1000


def test_a_text_is_analyzed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "分かち書きは一度だけ行う"
    words = tokenize(text)
    monkeypatch.delattr(japanese, "unidic")
    assert tokenize(text) == words


def test_threads_share_the_tokenizer() -> None:
    texts = [f"{number}番目の文を分かち書きする" for number in range(200)]
    alone = [tokenize(text) for text in texts]
    japanese._words.clear()
    together: list[tuple[str, ...]] = []
    workers = [
        threading.Thread(target=lambda: together.extend(tokenize(text) for text in texts))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(together) == sorted(alone * 4)


def test_the_identity_names_library_and_dictionary() -> None:
    library, dictionary = tokenizer_identity().split("/")
    assert library.startswith("fugashi-1.")
    assert dictionary.startswith("unidic-lite-1.")
