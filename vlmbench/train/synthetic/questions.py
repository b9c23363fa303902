"""What can be asked of the scenes of the basic level, and the answers, by kind of question.

Each function takes the scene(s) and a random generator and returns one question, or None where
the scene does not allow that question. Answers are drawn so that no single answer, and nothing in
the wording of a question, gives away much: yes as often as no, every place and count alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlmbench.tasks.prompt import IMAGE_PLACEHOLDER
from vlmbench.train.synthetic.concepts import Concept, concepts
from vlmbench.train.synthetic.scenes import GRID_PLACES, Scene

KANJI_DIGITS = "〇一二三四五六七八九"
YES = ("はい", "ある", "あります")
NO = ("いいえ", "ない", "ありません")


@dataclass(frozen=True, slots=True)
class SyntheticQuestion:
    """A question with its accepted answers, best first."""

    kind: str
    text: str
    answers: tuple[str, ...]


def count_answers(n: int) -> tuple[str, ...]:
    """How a Japanese reader may write a small count: 3, 3つ, 三つ, 3個 ..."""
    kanji = KANJI_DIGITS[n]
    return (str(n), f"{n}つ", f"{n}個", f"{n}こ", kanji, f"{kanji}つ", f"{kanji}個")


def _absent(scenes: Sequence[Scene], rng: random.Random) -> Concept:
    present = {concept.name for scene in scenes for concept in scene.distinct}
    return rng.choice([concept for concept in concepts() if concept.name not in present])


def _of_one(text: str) -> str:
    return f"{IMAGE_PLACEHOLDER}{text}"


def what(scene: Scene, rng: random.Random) -> SyntheticQuestion | None:
    """Names the only object."""
    if scene.layout not in ("single", "icon"):
        return None
    return SyntheticQuestion("what", _of_one("これは何ですか。"), scene.objects[0][0].answers)


def where(scene: Scene, rng: random.Random) -> SyntheticQuestion | None:
    """Names the object in one corner."""
    if scene.layout != "grid":
        return None
    concept, cell = rng.choice(scene.objects)
    return SyntheticQuestion(
        "where", _of_one(f"{GRID_PLACES[cell]}にあるのは何ですか。"), concept.answers
    )


def position(scene: Scene, rng: random.Random) -> SyntheticQuestion | None:
    """Names the corner of one object."""
    if scene.layout != "grid":
        return None
    concept, cell = rng.choice(scene.objects)
    place = GRID_PLACES[cell]
    swapped = place[1] + place[0]
    text = f"{concept.name}は左上、右上、左下、右下のどこにありますか。"
    return SyntheticQuestion("position", _of_one(text), (place, swapped))


def exists(scene: Scene, rng: random.Random) -> SyntheticQuestion | None:
    """Asks for an object that is there as often as not."""
    if scene.layout == "single":
        return None
    there = rng.random() < 0.5
    concept = rng.choice(scene.distinct) if there else _absent([scene], rng)
    text = f"{concept.name}は描かれていますか。はいかいいえで答えてください。"
    return SyntheticQuestion("exists", _of_one(text), YES if there else NO)


def count(scene: Scene, rng: random.Random) -> SyntheticQuestion | None:
    """Counts all objects."""
    if scene.layout == "single":
        return None
    text = "絵は全部でいくつありますか。"
    return SyntheticQuestion("count", _of_one(text), count_answers(len(scene.objects)))


def count_of(scene: Scene, rng: random.Random) -> SyntheticQuestion | None:
    """Counts the objects of one sort among others."""
    if scene.layout != "scatter" or len(scene.distinct) < 2:
        return None
    concept = rng.choice(scene.distinct)
    text = f"{concept.name}はいくつ描かれていますか。"
    n = scene.counts[concept.name]
    counted = (f"{n}{concept.counter}", f"{KANJI_DIGITS[n]}{concept.counter}")
    answers = tuple(dict.fromkeys([*count_answers(n), *counted]))
    return SyntheticQuestion("count_of", _of_one(text), answers)


def more(scene: Scene, rng: random.Random) -> SyntheticQuestion | None:
    """Asks which of two sorts there is more of; never a tie."""
    if scene.layout != "scatter" or len(scene.distinct) < 2:
        return None
    one, other = rng.sample(scene.distinct, 2)
    if scene.counts[one.name] == scene.counts[other.name]:
        return None
    winner = max(one, other, key=lambda concept: scene.counts[concept.name])
    text = f"{one.name}と{other.name}では、どちらが多いですか。"
    return SyntheticQuestion("more", _of_one(text), winner.answers)


def colour(scene: Scene, rng: random.Random) -> SyntheticQuestion | None:
    """Names the background's color (British, as the kind's name stands in the committed data)."""
    return SyntheticQuestion("colour", _of_one("背景は何色ですか。"), scene.ground.answers)


ONE_SCENE: dict[str, Callable[[Scene, random.Random], SyntheticQuestion | None]] = {
    function.__name__: function
    for function in (what, where, position, exists, count, count_of, more, colour)
}
"""Questions on one scene, by kind."""


def _of_two(text: str) -> str:
    return f"1枚目{IMAGE_PLACEHOLDER}2枚目{IMAGE_PLACEHOLDER}{text}"


def ordinal_answers(index: int) -> tuple[str, ...]:
    """How to name the first or second picture."""
    n = index + 1
    return (f"{n}枚目", f"{n}", f"{n}番目", f"{KANJI_DIGITS[n]}枚目", f"{n}枚目の画像")


def most(pair: Sequence[Scene], rng: random.Random) -> SyntheticQuestion | None:
    """Asks which picture holds more objects; never a tie."""
    sizes = [len(scene.objects) for scene in pair]
    if sizes[0] == sizes[1]:
        return None
    text = _of_two("絵の数が多いのは何枚目ですか。")
    return SyntheticQuestion("most", text, ordinal_answers(sizes.index(max(sizes))))


def which_has(pair: Sequence[Scene], rng: random.Random) -> SyntheticQuestion | None:
    """Asks in which of the two pictures an object is that only one has."""
    index = rng.randrange(2)
    mine = [c for c in pair[index].distinct if c.name not in pair[1 - index].counts]
    if not mine:
        return None
    text = _of_two(f"{rng.choice(mine).name}が描かれているのは何枚目ですか。")
    return SyntheticQuestion("which_has", text, ordinal_answers(index))


def ground_of(pair: Sequence[Scene], rng: random.Random) -> SyntheticQuestion | None:
    """Names the background's color of one of the two pictures."""
    index = rng.randrange(2)
    text = _of_two(f"{index + 1}枚目の背景は何色ですか。")
    return SyntheticQuestion("ground_of", text, pair[index].ground.answers)


def same_ground(pair: Sequence[Scene], rng: random.Random) -> SyntheticQuestion | None:
    """Asks whether the backgrounds have one color."""
    text = _of_two("背景の色は同じですか。はいかいいえで答えてください。")
    same = pair[0].ground == pair[1].ground
    return SyntheticQuestion(
        "same_ground", text, ("はい", "同じ") if same else ("いいえ", "違う", "異なる")
    )


def count_in(pair: Sequence[Scene], rng: random.Random) -> SyntheticQuestion | None:
    """Counts the objects of one of the two pictures."""
    index = rng.randrange(2)
    text = _of_two(f"{index + 1}枚目に絵はいくつありますか。")
    return SyntheticQuestion("count_in", text, count_answers(len(pair[index].objects)))


def difference(pair: Sequence[Scene], rng: random.Random) -> SyntheticQuestion | None:
    """Names the only object that the second picture has and the first has not."""
    new = [c for c in pair[1].distinct if c.name not in pair[0].counts]
    if len(new) != 1:
        return None
    return SyntheticQuestion("difference", _of_two("2枚目にだけあるのは何ですか。"), new[0].answers)


def common(pair: Sequence[Scene], rng: random.Random) -> SyntheticQuestion | None:
    """Names the only object that both pictures have."""
    both = [c for c in pair[0].distinct if c.name in pair[1].counts]
    if len(both) != 1:
        return None
    return SyntheticQuestion("common", _of_two("両方の画像にあるのは何ですか。"), both[0].answers)


TWO_SCENES: dict[str, Callable[[Sequence[Scene], random.Random], SyntheticQuestion | None]] = {
    function.__name__: function
    for function in (most, which_has, ground_of, same_ground, count_in, difference, common)
}
"""Questions on a pair of scenes, by kind."""


def captions(scene: Scene) -> tuple[str, ...]:
    """Three ways to describe a scene; the first is what the embedded model learns to say."""
    if scene.layout == "single":
        name = scene.objects[0][0].name
        ground = scene.ground
        return (
            f"{ground.adjective}背景に{name}が描かれています。",
            f"{ground.name}の背景の中央にある{name}の絵。",
            f"背景が{ground.name}で、{name}がひとつだけ描かれた画像です。",
        )
    counted = [(c, scene.counts[c.name]) for c in scene.distinct]
    full = "と".join(f"{c.name}が{n}{c.counter}" for c, n in counted)
    plain = "と".join(f"{c.name}{n}{c.counter}" for c, n in counted)
    names = "、".join(c.name for c, _ in counted)
    return (
        f"{scene.ground.adjective}背景に{full}描かれています。",
        f"{plain}の絵。背景は{scene.ground.name}です。",
        f"{scene.ground.adjective}背景の画像に、{names}が見えます。",
    )
