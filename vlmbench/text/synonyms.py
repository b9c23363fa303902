"""Small closed lists of synonyms among short answers, and yes or no."""

from __future__ import annotations

import re

from vlmbench.text.dates import MONTHS

_GROUPS = (
    *(
        (color, f"{color}い", f"{color}色", f"{color}い色", *others.split())
        for color, others in (
            ("赤", "レッド red"),
            ("青", "ブルー blue"),
            ("白", "ホワイト white"),
            ("黒", "ブラック black"),
            ("黄", "黄色い イエロー yellow"),
            ("緑", "グリーン green"),
            ("紫", "パープル purple"),
        )
    ),
    # 茶, 灰, 桃, 水, 金 and 銀 alone are things, not colors.
    ("茶色", "茶色い", "ブラウン", "brown"),
    ("灰色", "グレー", "グレイ", "鼠色", "gray", "grey"),
    ("桃色", "ピンク", "ピンク色", "pink"),
    ("橙色", "オレンジ色", "だいだい色", "オレンジ", "orange"),
    ("水色", "ライトブルー", "lightblue"),
    ("金色", "ゴールド", "gold"),
    ("銀色", "シルバー", "silver"),
    ("アメリカ", "米国", "アメリカ合衆国", "usa", "unitedstates"),
    ("イギリス", "英国", "グレートブリテン", "uk", "unitedkingdom"),
    ("フランス", "仏国", "フランス共和国", "france"),
    ("ドイツ", "独国", "ドイツ連邦共和国", "germany"),
    ("イタリア", "伊国", "イタリア共和国", "italy"),
    ("ロシア", "露国", "ロシア連邦", "russia"),
    ("中国", "中華人民共和国", "china"),
    ("韓国", "大韓民国", "southkorea"),
    ("北朝鮮", "朝鮮民主主義人民共和国", "northkorea"),
    ("インド", "印度", "インド共和国", "india"),
    ("オーストラリア", "豪州", "オーストラリア連邦", "australia"),
    ("日本", "日本国", "japan"),
    *(
        (f"{day}曜日", f"{day}曜", day, name, name[:3])
        for day, name in zip(
            "月火水木金土日",
            ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
            strict=True,
        )
    ),
    *((f"{number}月", name, name[:3]) for number, name in enumerate(MONTHS, 1)),
    ("東日本旅客鉄道", "jr東日本"),
    ("西日本旅客鉄道", "jr西日本"),
    ("東海旅客鉄道", "jr東海"),
    ("北海道旅客鉄道", "jr北海道"),
    ("四国旅客鉄道", "jr四国"),
    ("九州旅客鉄道", "jr九州"),
    ("男", "男性", "男の人", "男子"),
    ("女", "女性", "女の人", "女子"),
    ("右", "右側", "右の方", "right"),
    ("左", "左側", "左の方", "left"),
    ("上", "上側", "上の方"),
    ("下", "下側", "下の方"),
    ("なし", "無し", "ない", "ありません", "該当なし", "特になし", "none", "nothing"),
    ("不明", "わからない", "分からない", "わかりません", "分かりません", "unknown"),
)
_FIRST = {word: group[0] for group in _GROUPS for word in group}

_YES = "はい|ええ|うん|yes|yeah|true|正しい|(?:その|おっしゃる|仰る)(?:通り|とおり)|そう"
_NO = "いいえ|いえ|いや|no|nope|false|違い|違う|ちがい|誤り|間違"
_LEADING = re.compile(f"(?:(?P<yes>{_YES})|(?P<no>{_NO}))(?![a-zぁ-んァ-ヺ一-鿿](?<![でだ]))")
_BARE = {
    **dict.fromkeys(("はい", "ええ", "yes", "true", "正しい", "そう", *"○〇◯⭕"), True),
    **dict.fromkeys(("いいえ", "いえ", "no", "false", "誤り", "違う", *"×✕✖✗✘❌"), False),
}
_DENIES = re.compile(
    "(?:(?<!違いあり)(?<!訳あり)(?<!すみ)(?<!すい)(?<!問題あり)(?<!問題はあり)(?<![わ分]かり)(?<!かまい)ません|(?<!違い)(?<!問題)(?<![わ分]から)ない|なかった"
    "|違います|違う|ませんでした|不可能|異なります|異なる|異なっています)$"
)
_AFFIRMS = re.compile(
    "(?:[間相]違いありません|ます|ました|ある|いる|その通り|そのとおり|正しい|そう|(?<!不)可能)$"
)
_NO_ANSWER = re.compile(
    "^[^はが、]{1,15}[にで](?:あり|い)ま(?:す|した)$|可能性|思います|難し|かもしれ"
)
"""Endings of a yes that answer another question (東京にあります) or none."""
_NEGATIVE = re.compile("(?:しかし|ただし|でも|けれど|が、)[^。]*(?:ません|ない)")
_PERHAPS = re.compile(
    "^(?:結論(?:から|と|を)[^、。]{0,12}、|おそらく|恐らく|たぶん|多分|きっと|もちろん|確かに|たしかに|答えは)、?"
)
_EVIDENTLY = re.compile(
    "(?<=ない)(?:よう|みたい|らしい|と(?:思い|考え|見られ|思われ|考えられ)ます)$"
)
_ENDS_IN = re.compile(
    "^(?:答え|回答|結論)は|[とに]な(?:ります|る|りました)$|(?:だ)?と(?:思います|考えます|言えます)$"
)
_SEPARATORS = "、。,. "
_SENTENCE = 60


def word_for(form: str) -> str:
    """The first word of the synonyms of an answer in `answer_form`, itself if it has none."""
    return _FIRST.get(form, form)


def bare_yes_no(form: str) -> bool | None:
    """Whether an answer in `answer_form` is a plain yes (True) or no (False), else None."""
    return _BARE.get(form)


def begins_with_yes_or_no(form: str) -> bool:
    """Whether an answer in `answer_form` begins with a yes or a no."""
    return bool(_LEADING.match(_PERHAPS.sub("", form)))


def yes_or_no(form: str) -> bool | None:
    """Whether an answer in `answer_form` says yes (True) or no (False), None if neither or both.

    What it begins with counts (はい、そうです); without such a beginning a short sentence says no
    by a negative ending (ありません) and yes by a plain polite one (あります). A yes that goes on
    with a negation (はい、違います) is neither.
    """
    *denied, form = re.split("では?なく(?:て)?、?", form)
    form = _PERHAPS.sub("", form.lstrip("「『\"'") if denied else form)
    for piece in (form, _ENDS_IN.sub("", form.rpartition("、")[2]).strip("「」『』")):
        if piece in _BARE:
            return _BARE[piece]
    form = _EVIDENTLY.sub("", form)
    denies = bool(_DENIES.search(form[-20:]))
    if found := _LEADING.match(form):
        if found["no"]:
            return False
        goes_on = form[found.end() :]
        contradicts = (denies or _NEGATIVE.search(goes_on)) and goes_on[:1] in _SEPARATORS
        return None if contradicts and goes_on else not denies
    if len(form) > _SENTENCE or "。" in form:
        return None
    if denies:
        return False
    return True if _AFFIRMS.search(form[-20:]) and not _NO_ANSWER.search(form) else None
