"""By hand, from the docstring: no published list of Japanese refusals was at hand."""

from __future__ import annotations

import pytest

from vlmbench.text.refusal import is_refusal

REFUSALS = [
    "申し訳ありませんが、その質問にはお答えできません。",
    "申し訳ございません。画像を見ることができません。",
    "お答えすることはできません。",
    "回答は差し控えさせていただきます。",
    "その質問には答えられません",
    "申し訳ありませんが、お手伝いできません。",
    "ご要望には対応いたしかねます。",
    "すみません、画像が表示できません。",
    "画像が提供されていません。",
    "画像が添付されていないため、お答えできません。",
    "画像がありません。",
    "画像を直接閲覧することはできません。画像の内容を教えてください。",
    "この画像からは判断できません。",
    "私はAIなので、画像を確認できません。",
    "わかりません。",
    "分かりません",
    "私には分かりかねます。",
    "<think>画像がない。</think>申し訳ありませんが、回答できません。",
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I cannot answer this question.",
    "I cannot see any image.",
    "I am unable to view the image you mention.",
    "As an AI language model, I can't identify people in photos.",
    "Sorry. I don't know.",
    "No image was provided.",
    "There is no image attached.",
    "The image is not visible.",
    "Unfortunately, I'm not able to provide that information.",
]
ANSWERS = [
    "",
    "42",
    "B",
    "犬が走っています。",
    "看板の文字は読み取れませんが、赤い車があります。",
    "犬です。種類は判断できません。",
    "人物を特定することはできませんが、赤い服を着ています。",
    "人は見えません。",
    "画像に人はいません。",
    "いいえ、ありません。",
    "答えは3です。",
    "回答：東京タワー",
    "質問に答える男性が写っています。",
    "椅子に座ることができません、と書かれています。",
    "すみませんと書かれた看板。",
    "申し訳ありません。",
    "わかります。",
    "I see a dog.",
    "A man who cannot see the road.",
    "I cannot see any people in the picture.",
    "I can't identify the breed, but it is a brown dog.",
    "No, the image shows a cat.",
    "The image is not sharp.",
    "Sorry",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_answers(text: str) -> None:
    assert not is_refusal(text)
