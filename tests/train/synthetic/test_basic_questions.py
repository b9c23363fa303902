"""Questions on scenes: right answers, worked out by hand and again from the wording."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from made_scenes import ASK, CONCEPTS, asked, scene

from vlmbench.tasks.prompt import IMAGE_PLACEHOLDER
from vlmbench.text.japanese import answer_form
from vlmbench.train.synthetic.concepts import ART_STYLES
from vlmbench.train.synthetic.questions import ONE_SCENE, TWO_SCENES, captions, count_answers
from vlmbench.train.synthetic.scenes import Scene, random_scene
from vlmbench.train.synthetic.split import random_pair
from vlmbench.train.synthetic.sprites import load_sprites

BREAD = scene("single", "白", ("食パン", 0))
DOG = scene("grid", "赤", ("イヌ", 0), ("傘", 3))
FULL = scene("grid", "青", ("牛", 0), ("本", 1), ("バス", 2), ("星", 3))
ONE_LEFT = scene("grid", "青", ("傘", 2))
TWO_NEW = scene("grid", "赤", ("イヌ", 0), ("ケーキ", 1), ("鍵", 2))
APPLES = scene("scatter", "緑", ("リンゴ", 0), ("リンゴ", 4), ("リンゴ", 8), ("ネコ", 2))
EVEN = scene("scatter", "紫", ("リンゴ", 0), ("リンゴ", 1), ("ネコ", 2), ("ネコ", 3))
ONE_SORT = scene("scatter", "灰色", ("ネコ", 2), ("ネコ", 3))
CROWD = scene(
    "scatter", "黄色", ("牛", 0), ("牛", 1), ("牛", 2), ("バス", 3), ("バス", 4), ("星", 8)
)

ANSWERS: list[tuple[str, Any, set[tuple[str, str]]]] = [
    ("what", BREAD, {("これは何ですか。", "食パン")}),
    ("where", DOG, {("左上にあるのは何ですか。", "イヌ"), ("右下にあるのは何ですか。", "傘")}),
    ("where", ONE_LEFT, {("左下にあるのは何ですか。", "傘")}),
    (
        "position",
        FULL,
        {
            ("牛は左上、右上、左下、右下のどこにありますか。", "左上"),
            ("本は左上、右上、左下、右下のどこにありますか。", "右上"),
            ("バスは左上、右上、左下、右下のどこにありますか。", "左下"),
            ("星は左上、右上、左下、右下のどこにありますか。", "右下"),
        },
    ),
    ("count", DOG, {("絵は全部でいくつありますか。", "2")}),
    ("count", FULL, {("絵は全部でいくつありますか。", "4")}),
    ("count", CROWD, {("絵は全部でいくつありますか。", "6")}),
    (
        "count_of",
        CROWD,
        {
            ("牛はいくつ描かれていますか。", "3"),
            ("バスはいくつ描かれていますか。", "2"),
            ("星はいくつ描かれていますか。", "1"),
        },
    ),
    (
        "more",
        APPLES,
        {
            ("リンゴとネコでは、どちらが多いですか。", "リンゴ"),
            ("ネコとリンゴでは、どちらが多いですか。", "リンゴ"),
        },
    ),
    (
        "more",
        CROWD,
        {
            ("牛とバスでは、どちらが多いですか。", "牛"),
            ("バスと牛では、どちらが多いですか。", "牛"),
            ("牛と星では、どちらが多いですか。", "牛"),
            ("星と牛では、どちらが多いですか。", "牛"),
            ("バスと星では、どちらが多いですか。", "バス"),
            ("星とバスでは、どちらが多いですか。", "バス"),
        },
    ),
    ("colour", BREAD, {("背景は何色ですか。", "白")}),
    ("colour", CROWD, {("背景は何色ですか。", "黄色")}),
    ("most", (DOG, FULL), {("1枚目2枚目絵の数が多いのは何枚目ですか。", "2枚目")}),
    ("most", (TWO_NEW, DOG), {("1枚目2枚目絵の数が多いのは何枚目ですか。", "1枚目")}),
    (
        "which_has",
        (DOG, TWO_NEW),  # both have the dog: never asked for
        {
            ("1枚目2枚目傘が描かれているのは何枚目ですか。", "1枚目"),
            ("1枚目2枚目ケーキが描かれているのは何枚目ですか。", "2枚目"),
            ("1枚目2枚目鍵が描かれているのは何枚目ですか。", "2枚目"),
        },
    ),
    (
        "ground_of",
        (DOG, FULL),
        {
            ("1枚目2枚目1枚目の背景は何色ですか。", "赤"),
            ("1枚目2枚目2枚目の背景は何色ですか。", "青"),
        },
    ),
    (
        "same_ground",
        (DOG, TWO_NEW),
        {("1枚目2枚目背景の色は同じですか。はいかいいえで答えてください。", "はい")},
    ),
    (
        "same_ground",
        (DOG, FULL),
        {("1枚目2枚目背景の色は同じですか。はいかいいえで答えてください。", "いいえ")},
    ),
    (
        "count_in",
        (DOG, FULL),
        {
            ("1枚目2枚目1枚目に絵はいくつありますか。", "2"),
            ("1枚目2枚目2枚目に絵はいくつありますか。", "4"),
        },
    ),
    ("difference", (TWO_NEW, DOG), {("1枚目2枚目2枚目にだけあるのは何ですか。", "傘")}),
    ("common", (DOG, TWO_NEW), {("1枚目2枚目両方の画像にあるのは何ですか。", "イヌ")}),
    ("common", (ONE_LEFT, DOG), {("1枚目2枚目両方の画像にあるのは何ですか。", "傘")}),
    # What has no single right answer is never asked.
    ("what", DOG, set()),
    ("where", APPLES, set()),
    ("position", BREAD, set()),
    ("exists", BREAD, set()),
    ("count", BREAD, set()),
    ("count_of", ONE_SORT, set()),
    ("more", EVEN, set()),
    ("more", ONE_SORT, set()),
    ("more", DOG, set()),
    ("most", (DOG, scene("grid", "白", ("星", 1), ("鍵", 2))), set()),
    ("which_has", (DOG, DOG), set()),
    ("difference", (DOG, TWO_NEW), set()),  # two things are new
    ("difference", (DOG, DOG), set()),
    ("common", (DOG, FULL), set()),
    ("common", (DOG, DOG), set()),  # two things are common
]


@pytest.mark.parametrize(("kind", "subject", "expected"), ANSWERS)
def test_every_question_and_its_answer(
    kind: str, subject: Any, expected: set[tuple[str, str]]
) -> None:
    assert asked(kind, subject) == expected


@pytest.mark.parametrize("subject", [DOG, FULL, APPLES, CROWD])
def test_presence_is_asked_of_what_is_there_and_of_what_is_not(subject: Scene) -> None:
    wording = "は描かれていますか。はいかいいえで答えてください。"
    answers = dict(asked("exists", subject))
    there = {text.removesuffix(wording) for text, answer in answers.items() if answer == "はい"}
    absent = {text.removesuffix(wording) for text, answer in answers.items() if answer == "いいえ"}
    assert there == {concept.name for concept, _ in subject.objects}
    assert absent < CONCEPTS.keys() - there
    drawn = [ASK["exists"](subject, random.Random(seed)) for seed in range(400)]
    yes = sum(one is not None and one.answers[0] == "はい" for one in drawn)
    assert 160 <= yes <= 240  # half, four standard deviations


def _cells(one: Scene) -> dict[str, str]:
    places = ["左上", "右上", "左下", "右下"]
    return {places[cell]: concept.name for concept, cell in one.objects}


def _tally(one: Scene) -> Counter[str]:
    return Counter(concept.name for concept, _ in one.objects)


def _only(names: set[str]) -> str:
    (name,) = names
    return name


def _place(one: Scene, name: str) -> str:
    return next(place for place, there in _cells(one).items() if there == name)


Rule = Callable[[Sequence[Scene], "re.Match[str]"], str]
NUMBERED = "1枚目<image>2枚目<image>"
RULES: dict[str, Rule] = {
    "<image>これは何ですか。": lambda s, m: _only(set(_tally(s[0]))),
    "<image>(..)にあるのは何ですか。": lambda s, m: _cells(s[0])[m[1]],
    "<image>(.+)は左上、右上、左下、右下のどこにありますか。": lambda s, m: _place(s[0], m[1]),
    "<image>(.+)は描かれていますか。はいかいいえで答えてください。": lambda s, m: (
        "はい" if m[1] in _tally(s[0]) else "いいえ"
    ),
    "<image>絵は全部でいくつありますか。": lambda s, m: str(_tally(s[0]).total()),
    "<image>(.+)はいくつ描かれていますか。": lambda s, m: str(_tally(s[0])[m[1]]),
    "<image>(.+)では、どちらが多いですか。": lambda s, m: max(
        (name for name in _tally(s[0]) if m[1] in _pairs_with(name, _tally(s[0]))),
        key=lambda name: _tally(s[0])[name],
    ),
    "<image>背景は何色ですか。": lambda s, m: s[0].ground.name,
    NUMBERED + "絵の数が多いのは何枚目ですか。": lambda s, m: (
        "1枚目" if len(s[0].objects) > len(s[1].objects) else "2枚目"
    ),
    NUMBERED + "(.+)が描かれているのは何枚目ですか。": lambda s, m: _only(
        {f"{n}枚目" for n, one in enumerate(s, 1) if m[1] in _tally(one)}
    ),
    NUMBERED + "(.)枚目の背景は何色ですか。": lambda s, m: s[int(m[1]) - 1].ground.name,
    NUMBERED + "背景の色は同じですか。はいかいいえで答えてください。": lambda s, m: (
        "はい" if s[0].ground.rgb == s[1].ground.rgb else "いいえ"
    ),
    NUMBERED + "(.)枚目に絵はいくつありますか。": lambda s, m: str(
        _tally(s[int(m[1]) - 1]).total()
    ),
    NUMBERED + "2枚目にだけあるのは何ですか。": lambda s, m: _only(
        set(_tally(s[1])) - set(_tally(s[0]))
    ),
    NUMBERED + "両方の画像にあるのは何ですか。": lambda s, m: _only(
        set(_tally(s[0])) & set(_tally(s[1]))
    ),
}
"""The wording of every question, and what a reader who sees the scenes would answer."""


def _pairs_with(name: str, names: Counter[str]) -> set[str]:
    others = [other for other in names if other != name]
    return {f"{name}と{other}" for other in others} | {f"{other}と{name}" for other in others}


def _random_subject(kind: str, rng: random.Random) -> Any:
    style = rng.choice(tuple(ART_STYLES))
    if kind in TWO_SCENES:
        return random_pair(rng, style, load_sprites())
    return random_scene(rng, rng.choice(("single", "grid", "scatter")), style, load_sprites())


@pytest.mark.parametrize("kind", [*ONE_SCENE, *TWO_SCENES])
def test_answers_follow_from_the_wording(kind: str) -> None:
    rng = random.Random(kind)
    checked = 0
    for _ in range(400):
        subject = _random_subject(kind, rng)
        question = ASK[kind](subject, rng)
        if question is None:
            continue
        scenes = (subject,) if isinstance(subject, Scene) else subject
        rule, match = next(
            (rule, match)
            for wording, rule in RULES.items()
            if (match := re.fullmatch(wording, question.text))
        )
        assert question.answers[0] == rule(scenes, match), question.text
        assert question.kind == kind
        assert question.text.count(IMAGE_PLACEHOLDER) == len(scenes)
        checked += 1
    assert checked >= 40


CAPTIONS = [
    (
        BREAD,
        "白い背景に食パンが描かれています。",
        "白の背景の中央にある食パンの絵。",
        "背景が白で、食パンがひとつだけ描かれた画像です。",
    ),
    (
        DOG,
        "赤い背景にイヌが1匹と傘が1本描かれています。",
        "イヌ1匹と傘1本の絵。背景は赤です。",
        "赤い背景の画像に、イヌ、傘が見えます。",
    ),
    (
        CROWD,
        "黄色い背景に牛が3頭とバスが2台と星が1個描かれています。",
        "牛3頭とバス2台と星1個の絵。背景は黄色です。",
        "黄色い背景の画像に、牛、バス、星が見えます。",
    ),
]


@pytest.mark.parametrize(("subject", "full", "plain", "names"), CAPTIONS)
def test_captions(subject: Scene, full: str, plain: str, names: str) -> None:
    assert captions(subject) == (full, plain, names)


# As a Japanese speaker counts them; chosen to meet every counter of the suite.
COUNTERS = {
    "匹": ["イヌ", "カメ", "チョウ", "魚"],
    "頭": ["牛", "ゾウ", "クジラ", "トラ"],
    "羽": ["にわとり", "ペンギン"],
    "本": ["サボテン", "木", "傘", "ギター", "鉛筆", "人参", "バナナ"],
    "輪": ["桜"],
    "枚": ["かえで", "クッキー", "Tシャツ"],
    "個": ["リンゴ", "ケーキ", "風船", "サイコロ", "星"],
    "切れ": ["スイカ", "ピザ", "チーズ"],
    "房": ["ぶどう"],
    "組": ["さくらんぼ"],
    "斤": ["食パン"],
    "台": ["自動車", "バス", "自転車", "カメラ", "テレビ"],
    "機": ["飛行機", "ヘリコプター", "ロケット"],
    "隻": ["ヨット"],
    "軒": ["家"],
    "張り": ["テント"],
    "冊": ["本"],
    "足": ["スニーカー"],
    "体": ["雪だるま"],
}


def test_counters() -> None:
    assert {concept.counter for concept in CONCEPTS.values()} == set(COUNTERS)
    for counter, names in COUNTERS.items():
        assert {CONCEPTS[name].counter for name in names} == {counter}


def test_captions_name_every_object_with_its_number_and_counter() -> None:
    rng = random.Random("captions")
    for _ in range(300):
        subject = random_scene(rng, rng.choice(("grid", "scatter")), "noto", load_sprites())
        full, plain, names = captions(subject)
        said = [f"{name}が{n}{CONCEPTS[name].counter}" for name, n in _tally(subject).items()]
        ground = subject.ground.adjective
        assert full == f"{ground}背景に{'と'.join(said)}描かれています。"
        assert plain.startswith("と".join(one.replace("が", "", 1) for one in said) + "の絵。")
        assert all(name in names for name in _tally(subject))


def test_no_name_means_two_things() -> None:
    forms = [(answer_form(name), one.name) for one in CONCEPTS.values() for name in one.answers]
    assert len({form for form, _ in forms}) == len(set(forms))
    assert len(CONCEPTS) >= 100


@pytest.mark.parametrize(("n", "some"), [(1, "一つ"), (3, "3個"), (6, "六")])
def test_ways_to_write_a_count(n: int, some: str) -> None:
    answers = count_answers(n)
    assert answers[0] == str(n)
    assert some in answers
    assert not set(answers) & set(count_answers(n + 1))
