"""Letters and open answers as the MMMU family reads them.

Values are the outputs of the named parsers on these hand-made answers, as recorded in the
reference notes (section 15) and the gold files choice_parsing and open_parsing.
"""

from __future__ import annotations

import pytest

from vlmbench.metrics.compat.text_letters import (
    jmmmu_pro_letter,
    mathvista_choice,
    mathvista_free,
    video_mmmu_letter,
    vlmevalkit_letter,
)
from vlmbench.metrics.compat.text_mmmu import (
    ENGLISH_OPEN,
    JAPANESE_OPEN,
    MIXED_OPEN,
    OpenStyle,
    letters_of,
    mmmu_letter,
    open_agrees,
    read_open,
)

CITIES = letters_of(("東京", "大阪", "京都", "名古屋"))
FRUIT = letters_of(("りんご", "みかん", "ぶどう", "もも"))

# response; JMMMU's parser, lmms-eval's MMMU, JMMMU-Pro, Video-MMMU, VLMEvalKit, MathVista
LETTERS = [
    ("B.", "B", "B", None, "B", "B", "B"),
    ("B\n", None, None, "B", None, "B", "B"),
    ("b", None, None, "B", None, None, "B"),
    ("[B]", None, None, "B", None, "B", "B"),
    ("（Ｂ）", None, None, "B", None, None, "（Ｂ）"),
    ("B。", "B", None, None, None, None, "B"),
    ("B：大阪", None, None, None, None, "B", "B"),
    ("答えはBです", "B", None, None, None, None, "B"),
    ("答えは(B)です。", "B", "B", "B", "B", "B", "B"),
    ("答えは「B」です。", None, None, "B", None, None, "B"),
    ("答えはAではなくBです。", "A", None, None, None, None, "A"),
    ("(B)が正しい。(A)は誤り。", "A", "A", "A", "A", None, "A"),
    ("AとB", "B", "B", "B", "B", None, "A"),
    (
        "これは大阪城なので、大阪です。",
        None,
        None,
        None,
        None,
        "B",
        "これは大阪城なので、大阪です。",
    ),
    ("A cat is shown, so the answer is B", "B", "B", "B", "B", "B", "B"),
    ("CDプレーヤーです。", None, None, None, None, None, "C"),
    ("   ", None, None, None, None, None, ""),
]


@pytest.mark.parametrize(
    ("response", "japanese", "english", "pro", "video", "kit", "vista"), LETTERS
)
def test_letters(
    response: str,
    japanese: str | None,
    english: str | None,
    pro: str | None,
    video: str | None,
    kit: str | None,
    vista: str,
) -> None:
    assert mmmu_letter(response, CITIES, japanese=True) == japanese
    assert mmmu_letter(response, CITIES, japanese=False) == english
    assert jmmmu_pro_letter(response, CITIES) == pro
    assert video_mmmu_letter(response, CITIES) == video
    assert vlmevalkit_letter(response, CITIES) == kit
    assert mathvista_choice(response, 4) == vista


# Section 15 of the reference notes: the eval-mm code's outputs.
PRIORITY = [
    ("NBA", "A"),
    ("A B", "B"),
    ("BまたはC", "C"),
    ("(A)または(B)", "B"),
    ("A. りんごではなく B. みかん", "A"),
    ("選択肢B", "B"),
    ("**B**", None),
    ("\\boxed{B}", None),
    ("みかんです", None),
    ("", None),
]


@pytest.mark.parametrize(("response", "letter"), PRIORITY)
def test_which_letter_of_several(response: str, letter: str | None) -> None:
    assert mmmu_letter(response, FRUIT, japanese=True) == letter


def test_a_long_english_answer_may_name_the_option() -> None:
    animals = letters_of(("a cat", "a dog"))
    assert mmmu_letter("What I can see there is a dog!", animals, japanese=True) == "B"
    assert mmmu_letter("It is a dog", animals, japanese=True) is None


def test_a_refusal_is_no_letter() -> None:
    assert vlmevalkit_letter("Cannot determine the answer", CITIES) == "Z"
    assert vlmevalkit_letter("Failed to obtain answer via API", CITIES) is None
    assert video_mmmu_letter("API Error", CITIES) is None


# response, references, style, right; from the gold file open_parsing and the notes, section 5.
OPEN: list[tuple[str, tuple[str, ...], OpenStyle, bool]] = [
    ("答えは3です。", ("3",), JAPANESE_OPEN, True),
    ("よって、面積は3.14cm2である。", ("3.14",), JAPANESE_OPEN, False),
    ("3.14", ("3.14",), JAPANESE_OPEN, True),
    ("1,234", ("1234",), JAPANESE_OPEN, True),
    ("答えは1,234円です。", ("1234",), JAPANESE_OPEN, False),
    ("12,000円", ("12000",), JAPANESE_OPEN, False),
    ("12000円です", ("12000",), JAPANESE_OPEN, True),
    ("これは寺です", ("寺",), JAPANESE_OPEN, False),
    ("答えは寺", ("寺",), JAPANESE_OPEN, True),
    ("答えは1/2です。", ("0.5", "1/2"), JAPANESE_OPEN, True),
    ("2+3＝5です。", ("5",), JAPANESE_OPEN, True),
    ("", ("",), JAPANESE_OPEN, True),
    ("東京", ("",), JAPANESE_OPEN, True),
    ("The answer is 3.14.", ("3.14",), MIXED_OPEN, False),
    ("The answer is 3.14.", ("3.14",), ENGLISH_OPEN, True),
    ("the final answer is a Dog", ("dog",), ENGLISH_OPEN, True),
]


@pytest.mark.parametrize(("response", "golds", "style", "right"), OPEN)
def test_open_answers(response: str, golds: tuple[str, ...], style: OpenStyle, right: bool) -> None:
    assert open_agrees(read_open(response, style), golds) is right


def test_an_equals_sign_counts_everywhere_once_the_list_has_grown() -> None:
    steps = "x = 0,5。以上"
    assert "0,5" not in read_open(steps, JAPANESE_OPEN)
    assert 5.0 in read_open(steps, JAPANESE_OPEN, equals_everywhere=True)


# response, what is read: behind a phrase, else the last group of at most three digits.
FREE = [
    ("The answer is: 3.5e2 cm", "3.5e2"),
    ("x = -7", "-7"),
    ("1234", "4"),
    ("1,234円", "1234"),
    ("百", "百"),
    ("", ""),
]


@pytest.mark.parametrize(("response", "read"), FREE)
def test_free_answers_of_mathvista(response: str, read: str) -> None:
    assert mathvista_free(response) == read
