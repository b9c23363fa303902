"""The embedding metrics, with tiny encoders of random weights made here.

Expected values are computed from the network's own output by the formulas of the papers, written
out without anything of the module under test.
"""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from made_runs import make_run
from made_tasks import color_rows, write_task

from vlmbench.derive import score
from vlmbench.errors import DataError, ModelError, UsageError
from vlmbench.metrics import encoders, semantic
from vlmbench.metrics.base import Answer, Metric, load_metric
from vlmbench.records import Image, MetricScore
from vlmbench.runs.directory import RunDir
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.scoring.predictions_file import LineScore, score_file

CHARACTERS = "赤い橋の上を電車が走る猫は窓辺で眠ている青空12年。"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
ANSWERS = (
    Answer("赤い橋", ("赤い橋の上", "青い橋")),
    Answer("猫は窓辺で眠っている。", ("猫が眠る",)),
    Answer("電車", ("赤い橋の上を電車が走る。", "電車が走る", "12年")),
    Answer("走る猫", ("猫が走る",)),
)


def save_tokenizer(folder: Path) -> None:
    """A tokenizer of single characters."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {
        token: number for number, token in enumerate([*SPECIAL, *sorted(set(CHARACTERS))])
    }
    tokenizer: Any = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    ends = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, ends)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=48,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoders") / "bert"
    save_tokenizer(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(set(CHARACTERS)),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=48,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of one layer on each side."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    folder = tmp_path_factory.mktemp("encoders") / "clip"
    save_tokenizer(folder)
    torch.manual_seed(4)
    side = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    side |= {"intermediate_size": 32}
    vocabulary = len(SPECIAL) + len(set(CHARACTERS))
    config = CLIPConfig(
        text_config={
            **side,
            "vocab_size": vocabulary,
            "max_position_embeddings": 48,
            "eos_token_id": 3,
        },
        vision_config={**side, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    model = CLIPModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)  # larger weights, so that different inputs come out different
    model.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=size).save_pretrained(folder)
    return folder


def values(metric: Metric, answers: Sequence[Answer] = ANSWERS) -> list[float]:
    """The metric's value of each answer."""
    ready = metric.prepare([answer.references for answer in answers])
    return [one(score) for score in ready.score_all(answers)]


def one(score: MetricScore) -> float:
    """The only number of a score."""
    assert score.vector is not None
    (value,) = score.vector
    return value


def last_layer(folder: Path, text: str) -> tuple[list[str], Any]:
    """Tokens of one text and their vectors, one text at a time and without padding."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    fields = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        vectors = AutoModel.from_pretrained(folder).eval()(**fields).last_hidden_state[0].numpy()
    return tokenizer.convert_ids_to_tokens(fields["input_ids"][0]), vectors


def expected_prf(
    folder: Path, text: str, reference: str, idf: dict[str, float] | None = None
) -> tuple[float, float, float]:
    """BERTScore, word by word."""
    (ours, vectors), (theirs, others) = last_layer(folder, text), last_layer(folder, reference)

    def cosine(first: Any, second: Any) -> float:
        return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))

    def mean(tokens: list[str], best: list[float]) -> float:
        weights = [
            0.0 if token in ("[CLS]", "[SEP]") else 1.0 if idf is None else idf[token]
            for token in tokens
        ]
        return sum(w * b for w, b in zip(weights, best, strict=True)) / sum(weights)

    precision = mean(ours, [max(cosine(v, o) for o in others) for v in vectors])
    recall = mean(theirs, [max(cosine(v, o) for v in vectors) for o in others])
    return precision, recall, 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize(("part", "index"), [("precision", 0), ("recall", 1), ("f1", 2)])
def test_bert_score_is_the_papers_formula(bert: Path, part: str, index: int) -> None:
    metric = load_metric("semantic.bert_score", {"model": str(bert), "layer": 2, "part": part})
    for answer, value in zip(ANSWERS, values(metric), strict=True):
        pairs = [expected_prf(bert, answer.prediction, text) for text in answer.references]
        assert value == pytest.approx(max(pairs, key=lambda prf: prf[2])[index], abs=2e-6)


def test_rare_tokens_weigh_more_with_idf(bert: Path) -> None:
    metric = load_metric("semantic.bert_score", {"model": str(bert), "layer": 2, "idf": True})
    texts = [text for answer in ANSWERS for text in answer.references]
    idf = {
        token: math.log((len(texts) + 1) / (sum(token in text for text in texts) + 1))
        for token in CHARACTERS
    }
    idf["[UNK]"] = math.log(len(texts) + 1)
    for answer, value in zip(ANSWERS, values(metric), strict=True):
        pairs = [expected_prf(bert, answer.prediction, text, idf) for text in answer.references]
        assert value == pytest.approx(max(prf[2] for prf in pairs), abs=2e-6)


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("赤い橋", "赤い橋", 1),
        ("", "", 1),
        ("", "赤い橋", 0),
        ("赤い橋", " ", 0),
        ("１２年", "12年", 1),
    ],
)
def test_edges(bert: Path, prediction: str, reference: str, expected: float) -> None:
    metric = load_metric("semantic.bert_score", {"model": str(bert), "layer": 2})
    assert values(metric, [Answer(prediction, (reference,))]) == [pytest.approx(expected)]


def test_hostile_and_long_texts(bert: Path) -> None:
    metric = load_metric("semantic.bert_score", {"model": str(bert), "layer": 1})
    texts = ("\ud800\x00", "赤" * 100_000, "\u202e" * 50 + "👩‍👩‍👧", "𓀀")
    for value in values(metric, [Answer(text, (text, "赤い橋")) for text in texts]):
        assert value == pytest.approx(1)


def test_batches_change_nothing(bert: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [drawn(number) for number in range(len(ANSWERS))]
    seen = [
        Answer(answer.prediction, answer.references, images=(picture,))
        for answer, picture in zip(ANSWERS, pictures, strict=True)
    ]
    for metric in (
        load_metric("semantic.bert_score", {"model": str(bert), "layer": 2}),
        load_metric("semantic.clip_score", {"model": str(clip)}),
    ):
        together = values(metric, seen)
        assert len(set(together)) > 2
        ready = metric.prepare([answer.references for answer in seen])
        assert [one(ready.score(answer)) for answer in seen] == pytest.approx(together, abs=1e-6)
        for name in ("_BATCH_SIZE", "_IMAGE_BATCH_SIZE"):
            monkeypatch.setattr(semantic, name, 3)
        monkeypatch.setattr(encoders, "NETWORK_BATCH_SIZE", 2)
        assert values(metric, seen) == pytest.approx(together, abs=1e-6)
        assert values(metric, seen[::-1])[::-1] == pytest.approx(together, abs=1e-6)


def drawn(number: int) -> Image:
    """A picture of noise."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(number).integers(0, 255, (40, 36, 3), np.uint8)
    PIL.Image.fromarray(noise).save(buffer, "PNG")
    return Image(buffer.getvalue())


def expected_cosine(folder: Path, text: str, image: Image) -> float:
    """Of the two projections, from the whole network's own output."""
    import torch
    from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

    fields = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    pixels = AutoImageProcessor.from_pretrained(folder)(images=image.decode(), return_tensors="pt")
    with torch.no_grad():
        found = CLIPModel.from_pretrained(folder).eval()(**fields, **pixels)
    first, second = found.text_embeds[0], found.image_embeds[0]
    return float(first @ second / first.norm() / second.norm())


def test_clip_score_is_the_papers_formula(clip: Path) -> None:
    metric = load_metric("semantic.clip_score", {"model": str(clip)})
    cases = [("赤い橋", (0,)), ("猫", (1,)), ("電車が走る", (2, 3)), ("青空", (4,)), ("窓", (5,))]
    answers = [
        Answer(text, ("なし",), images=tuple(drawn(number) for number in numbers))
        for text, numbers in cases
    ]
    found = values(metric, answers)
    for value, (text, numbers) in zip(found, cases, strict=True):
        cosines = [expected_cosine(clip, text, drawn(number)) for number in numbers]
        assert value == pytest.approx(2.5 * max(0, sum(cosines) / len(cosines)), abs=5e-6)
    assert any(found)


def test_clip_score_needs_images(clip: Path) -> None:
    metric = load_metric("semantic.clip_score", {"model": str(clip)})
    scores = metric.score_all(
        [
            Answer("猫", ("猫",)),
            Answer("猫", ("猫",), images=(Image(b"no image"),)),
            Answer("", ("猫",), images=(drawn(1),)),
        ]
    )
    assert [score.unscored for score in scores] == [
        "no image",
        "an image that cannot be read",
        None,
    ]
    assert one(scores[2]) == 0


def test_an_encoder_that_is_not_there(bert: Path, tmp_path: Path) -> None:
    answer = Answer("猫", ("猫",))
    for name, options, message in (
        ("semantic.bert_score", {"model": str(bert), "layer": 3}, "has 2 layers"),
        ("semantic.bert_score", {"model": str(tmp_path)}, "complete directory"),
        ("semantic.bert_score", {"model": "./gone"}, "complete directory"),
        ("semantic.bert_score", {"model": "org/name"}, "Hub can't be reached"),
        ("semantic.clip_score", {"model": str(bert)}, "cannot be loaded|one space"),
    ):
        with pytest.raises((ModelError, UsageError), match=message):
            load_metric(name, options).prepare([["猫"]]).score(answer)  # type: ignore[arg-type]


def test_an_encoder_that_names_kernels_of_the_hub_is_refused(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "named")
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, "attn_implementation": "a/kernel"}))
    with pytest.raises(ModelError, match=r"names code of the Hugging Face Hub \(a/kernel\)"):
        load_metric("semantic.bert_score", {"model": str(folder)}).prepare([["猫"]]).score(
            Answer("猫", ("猫",))
        )


def test_the_signature_names_the_encoder() -> None:
    first, second = (
        load_metric("semantic.bert_score", {"model": name}).signature for name in ("a/b", "c/d")
    )
    assert first != second
    assert "|model:a/b|" in first and "|transformers-" in first


def test_a_run_is_scored_with_its_images(bert: Path, clip: Path, tmp_path: Path) -> None:
    task = write_task(tmp_path / "task", color_rows(5))
    record = make_run(task, tmp_path / "out", "baseline:oracle")
    directory = RunDir.of(tmp_path / "out", record.model, record.task)
    named = {"semantic.bert_score": {"model": str(bert), "layer": 2}}
    named["semantic.clip_score"] = {"model": str(clip)}
    extra = [ScoredMetric(name, load_metric(name, options)) for name, options in named.items()]
    overall = {one.metric: one for one in score(directory, extra=extra).estimates if not one.slice}
    assert [overall[name].n for name in named] == [5, 5]
    assert overall["semantic.bert_score"].value == pytest.approx(1)
    before = directory.scores.read_bytes()
    score(directory, extra=extra)
    assert directory.scores.read_bytes() == before
    assert all({"match.exact", *named} <= set(row.scores) for row in directory.read_scores())


def test_a_file_is_scored_with_its_images(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(drawn(1).data)
    path = tmp_path / "predictions.jsonl"
    line = {"prediction": "猫", "references": ["猫"]}
    lines = [{"id": 1, **line, "images": ["one.png"]}, {"id": 2, **line}]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    found: list[LineScore] = []
    metric = load_metric("semantic.clip_score", {"model": str(clip)})
    estimate = score_file(metric, path, emit=found.append)
    assert [one.unscored for one in found] == [None, "no image"]
    assert (estimate.n, estimate.unscored) == (1, 1)
    path.write_text(json.dumps({"id": 1, **line, "images": ["../one.png"]}) + "\n")
    with pytest.raises(DataError, match="leads out of the folder"):
        score_file(metric, path, emit=found.append)
