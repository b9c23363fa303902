"""Each known layout by hand-made rows, and where rows come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import yaml
from made_rows import (
    BLUE,
    RED,
    data_url,
    message,
    struct,
    text,
    write_json,
    write_jsonl,
    write_parquet,
)

from vlmbench.errors import DataError, UsageError
from vlmbench.records import Image
from vlmbench.tasks.hub_split import open_split
from vlmbench.tasks.prompt import without_marks
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples
from vlmbench.train.data.examples import Example
from vlmbench.train.data.formats import ExampleSource, Source, read_examples
from vlmbench.train.data.mixture import Mixture


def spoken(example: Example) -> list[tuple[str, list[str | bytes]]]:
    """Role and parts of each turn, images as their bytes."""
    return [
        (turn.role, [part.data if isinstance(part, Image) else part for part in turn.parts])
        for turn in example.turns
    ]


def learned(example: Example) -> list[str]:
    return [turn.text for turn in example.turns if turn.role == "assistant" and turn.learn]


CAULDRON = [
    {
        "images": [struct(RED), struct(BLUE)],
        "texts": [
            {"user": "何色ですか。", "assistant": "赤と青", "source": "x"},
            {"assistant": "2枚", "user": "何枚ですか。", "source": "x"},
        ],
        "relevance_ratings": [5, 1],
    }
]
TWO_TURNS = [
    ("user", [RED, BLUE, "何色ですか。"]),
    ("assistant", ["赤と青"]),
    ("user", ["何枚ですか。"]),
    ("assistant", ["2枚"]),
]
ONE_TURN = [("user", [RED, "何色ですか。"]), ("assistant", ["赤"])]
TRL = {
    "messages": [
        message("system", [text("短く。")]),
        message("user", [{"type": "image"}, text("何色ですか。")]),
        message("assistant", [text("赤")]),
    ],
    "images": [struct(RED)],
}
INDEXED = {
    "messages": [
        message(
            "user",
            [
                {"type": "text", "text": "前", "index": None},
                {"type": "image", "text": None, "index": 1},
                {"type": "image", "text": None, "index": 0},
            ],
        ),
        message("assistant", [{"type": "text", "text": "後", "index": None}]),
    ],
    "images": [struct(RED), struct(BLUE)],
}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (CAULDRON, TWO_TURNS),
        (
            [{"images": None, "texts": [{"user": "やあ", "assistant": "はい"}]}],
            [("user", ["やあ"]), ("assistant", ["はい"])],
        ),
        ([TRL], [("system", ["短く。"]), *ONE_TURN]),
        ([INDEXED], [("user", ["前", BLUE, RED]), ("assistant", ["後"])]),
        (
            # TRL: images of texts without parts go before the first question.
            [
                {
                    "messages": [
                        message("system", "短く。"),
                        message("user", "何色ですか。"),
                        message("assistant", "赤"),
                    ],
                    "image": struct(RED),
                }
            ],
            [("system", ["短く。"]), *ONE_TURN],
        ),
        ([{"prompt": "何色ですか。", "completion": "赤", "images": [struct(RED)]}], ONE_TURN),
        (
            [
                {
                    "prompt": [message("user", "何色ですか。")],
                    "completion": [message("assistant", "赤")],
                    "images": [struct(RED)],
                }
            ],
            ONE_TURN,
        ),
        ([{"image": struct(RED), "caption": "赤"}], [("user", [RED]), ("assistant", ["赤"])]),
        ([{"image": RED, "text": "赤", "extra": 1}], [("user", [RED]), ("assistant", ["赤"])]),
    ],
)
def test_parquet(tmp_path: Path, rows: list[dict[str, Any]], expected: object) -> None:
    (example,) = read_examples(str(write_parquet(tmp_path / "a.parquet", rows)), source="mine")
    assert spoken(example) == expected
    assert (example.id, example.source) == ("a.parquet#0", "mine")


LLAVA = {
    "id": "000000033471",
    "image": "coco/000000033471.png",
    "conversations": [
        {"from": "human", "value": "<image>\n何色ですか。"},
        {"from": "gpt", "value": "赤"},
    ],
}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (LLAVA, ONE_TURN),
        (
            {
                "image": ["coco/000000033471.png", "b.png"],
                "system_prompt": "短く。",
                "conversations": [
                    {"from": "human", "value": "<image>と<image>の色は？"},
                    {"from": "gpt", "value": "赤と青"},
                ],
            },
            [
                ("system", ["短く。"]),
                ("user", [RED, "と", BLUE, "の色は？"]),
                ("assistant", ["赤と青"]),
            ],
        ),
        (
            {
                "conversations": [
                    {"from": "human", "value": "やあ"},
                    {"from": "gpt", "value": "はい"},
                ]
            },
            [("user", ["やあ"]), ("assistant", ["はい"])],
        ),
        (
            # OpenAI: a data URL, and a file beside the data.
            {
                "messages": [
                    message(
                        "user",
                        [
                            text("色は？"),
                            {"type": "image_url", "image_url": {"url": data_url(RED)}},
                            {"type": "image_url", "image_url": {"url": "b.png", "detail": "low"}},
                        ],
                    ),
                    message("assistant", "赤と青"),
                ]
            },
            [("user", ["色は？", RED, BLUE]), ("assistant", ["赤と青"])],
        ),
    ],
)
@pytest.mark.parametrize("write", [write_json, write_jsonl])
def test_json(images: Path, write: Any, row: dict[str, Any], expected: object) -> None:
    """As a list and as lines; what follows a first row of another form too."""
    path = write(images / "rows.json", [row, row])
    found = list(read_examples(str(path)))
    assert [spoken(example) for example in found] == [expected, expected]


def test_ids_that_other_data_may_share(images: Path) -> None:
    path = write_json(images / "x.json", [{**LLAVA, "image_id": 33471, "coco_url": None}])
    (example,) = read_examples(str(path))
    assert example.id == "000000033471"
    assert example.ids == {
        "id": "000000033471",
        "image_id": "33471",
        "image_file": "coco/000000033471.png",
    }
    assert (example.question, example.answers) == ("何色ですか。", ("赤",))


def test_messages_that_are_not_learned(tmp_path: Path) -> None:
    """ms-swift's "loss", and answers inside a prompt."""
    turns = [message("user", "a"), {**message("assistant", "b"), "loss": False}]
    rest = [message("user", "c"), message("assistant", "d")]
    path = write_jsonl(tmp_path / "x.jsonl", [{"messages": turns + rest}])
    (example,) = read_examples(str(path))
    assert learned(example) == ["d"]
    row = {"prompt": [*turns[:1], message("assistant", "b"), rest[0]], "completion": rest[1:]}
    (example,) = read_examples(str(write_jsonl(tmp_path / "y.jsonl", [row])))
    assert learned(example) == ["d"]


def test_marked_messages_have_to_be_named(images: Path) -> None:
    row = {
        "messages": [message("user", "<image>何色ですか。"), message("assistant", "赤")],
        "images": ["coco/000000033471.png"],
    }
    path = str(write_jsonl(images / "x.jsonl", [row]))
    with pytest.raises(DataError, match=r"holds '<image>', which .* 'format: marked-messages'"):
        list(read_examples(path))
    (example,) = read_examples(path, format="marked-messages")
    assert spoken(example) == ONE_TURN


def test_each_caption_is_an_example(tmp_path: Path) -> None:
    row = {"image": data_url(RED), "captions": ["赤", "赤い板"]}
    path = str(write_jsonl(tmp_path / "x.jsonl", [row]))
    found = list(read_examples(path, prompt="説明してください。"))
    assert [one.answers for one in found] == [("赤",), ("赤い板",)]
    assert [one.id for one in found] == ["x.jsonl#0#0", "x.jsonl#0#1"]
    assert found[0].question == "説明してください。"


def test_a_task(tmp_path: Path) -> None:
    task = load_task("ja-multi-image")
    samples = list(read_samples(task, only=range(3)))
    found = list(read_examples("task:ja-multi-image", limit=3))
    for sample, example in zip(samples, found, strict=True):
        assert example.id == sample.id
        assert example.answers == sample.references[:1]
        assert without_marks(sample.row["question"]) in example.question
        assert {one.digest for one in example.images} == {one.digest for one in sample.images}
    mixed = Mixture([Source("task:ja-multi-image")], seed=0)
    assert (
        sorted(one.id for *_, row in mixed.read() for one in row)[:3]
        == sorted(one.id for one in read_examples("task:ja-multi-image"))[:3]
    )


def subset_task(folder: Path, **data: object) -> str:
    """A task on a data set with two subsets, laid out as on the Hub, and its source's path."""
    for subset in ("colors", "shades"):
        rows = [
            {
                "image": struct(RED),
                "question": f"{subset} {number}",
                "answers": [f"{subset} {number} {one}" for one in range(number % 3)],
                "lang": "ja" if number % 2 else "en",
            }
            for number in range(7)
        ]
        path = folder / "set" / f"{subset}.parquet"
        path.parent.mkdir(exist_ok=True, parents=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=3)
    configs = [
        {"config_name": subset, "data_files": [{"split": "train", "path": f"{subset}.parquet"}]}
        for subset in ("colors", "shades")
    ]
    (folder / "set" / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': configs})}---\n")
    task = {
        "name": "subset-task",
        "display": {"title": "T", "capability": "vqa", "licence": "CC0"},
        "data": {"hub": str(folder / "set"), "split": "test", **data},
        "fields": {
            "id": "{{ index }}",
            "images": ["image"],
            "references": ["{{ row.answers if row.answers is string else row.question }}"],
        },
        "prompt": ("{{ row.subset }}: " if "subsets" in data else "") + "{{ row.question }}",
        "generation": {"max_new_tokens": 8},
        "metrics": [{"use": "match.exact", "headline": True}],
    }
    (folder / "subset-task.yaml").write_text(yaml.safe_dump(task))
    return f"task:{folder / 'subset-task.yaml'}"


@pytest.mark.parametrize(
    "data",
    [
        {"subsets": ["colors", "shades"]},
        {"config": "shades"},
        {"subsets": ["shades", "colors"], "keep": "row.lang == 'ja'"},
        {"config": "colors", "each": "answers"},
        {"subsets": ["colors", "shades"], "keep": "row.lang == 'en'", "each": "answers"},
        {"config": "colors", "keep": "row.question == 'colors 6'"},  # in the last block alone
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_a_task_of_the_hub(tmp_path: Path, data: dict[str, object], streaming: bool) -> None:
    """Has the rows that the task's own reader has, which reads through `datasets`."""
    path = subset_task(tmp_path, **data)
    expected = sorted((one.question, one.answers) for one in read_examples(path, split="train"))
    source = ExampleSource(Source(path, split="train", streaming=streaming), memory=1)
    by_number = [source.row_examples(number) for number in range(len(source))]
    assert sorted((one.question, one.answers) for (one,) in by_number) == expected
    assert [row for _, row in source.read()] == by_number
    assert len(expected) > 0 and all(one.images for (one,) in by_number)


def test_a_task_whose_rows_are_fetched_by_hand_says_how_to_train_on_them(tmp_path: Path) -> None:
    path = subset_task(tmp_path, manual="Ask the library.")
    with pytest.raises(DataError, match=r"by hand: Ask the library\. Then run 'vlmbench data conv"):
        ExampleSource(Source(path))


def test_revisions_are_the_hubs(tmp_path: Path) -> None:
    write_parquet(tmp_path / "rows.parquet", [{"image": struct(RED), "caption": "赤"}])
    with pytest.raises(DataError, match="'revision: v1' is of a data set of the Hub"):
        list(read_examples(str(tmp_path / "rows.parquet"), revision="v1"))
    with pytest.raises(UsageError, match="one file without splits; leave out 'revision'"):
        list(read_examples("task:ja-chart", revision="v1"))


def test_folders_patterns_and_splits(tmp_path: Path) -> None:
    def caption(word: str) -> list[dict[str, Any]]:
        return [{"image": struct(RED), "caption": word}]

    (tmp_path / "data").mkdir()
    for name in ("train-00000", "train-00001", "test-00000"):
        write_parquet(tmp_path / "data" / f"{name}.parquet", caption(name))
    write_json(tmp_path / "info.json", [])

    def answers(path: Path | str, **how: Any) -> list[str]:
        return [one.answers[0] for one in read_examples(str(path), **how)]

    assert answers(tmp_path) == ["train-00000", "train-00001"]
    assert answers(tmp_path, split="test") == ["test-00000"]
    assert answers(tmp_path / "data" / "*-00000.parquet") == ["train-00000"]
    assert answers(tmp_path / "**" / "test*.parquet") == ["test-00000"]
    assert next(read_examples(str(tmp_path))).id == "data/train-00000.parquet#0"
    with pytest.raises(DataError, match="file of the split 'validation' in"):
        answers(tmp_path, split="validation")
    with pytest.raises(DataError, match="There is no file or folder"):
        answers(tmp_path / "nothing")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_data_set_as_datasets_finds_it(tmp_path: Path, streaming: bool) -> None:
    """The Hub's data sets are resolved by `datasets`, which does the same with a local folder."""
    for split, word in (("train", "赤"), ("test", "青")):
        rows = [{"image": struct(RED), "caption": word}] * 2
        write_parquet(tmp_path / f"{split}-00000-of-00001.parquet", rows)
    found = open_split(str(tmp_path), split="test", local="name another")
    (file,) = found.row_files(streaming=streaming)
    assert [row["caption"] for row in file.read(("caption",))] == ["青", "青"]
    assert file.block(0, ("caption",))[1] == {"caption": "青"}
    with pytest.raises(DataError, match=r"has no split 'dev'; there are: train, test|test, train"):
        open_split(str(tmp_path), split="dev", local="name another").row_files(streaming=streaming)


def test_the_hub_cannot_be_reached() -> None:
    with pytest.raises(DataError, match=r"can't be reached .* so data set 'org/name'"):
        list(read_examples("org/name"))
