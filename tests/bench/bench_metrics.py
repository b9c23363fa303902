"""How fast metrics are, as a Markdown table: python tests/bench/bench_metrics.py [--quick]

Times are CPU times of this process, and what counts is their ratio to bare tokenization of the
same texts on the same machine: fugashi's Tagger("-Owakati").parse(text).split(), each text once.
The texts are made here, from hand-written phrases; where the reference values lie beside the
checkout (../shared/reference/gold), its model answers are measured too. Phrases that come again
and again are tokenized about twice as fast as real text, so ratios on them are less favorable.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from vlmbench.metrics.base import load_metric
from vlmbench.metrics.ngrams import comparison
from vlmbench.records import JournalSample, Response, SampleScores
from vlmbench.scoring.aggregate import ScoredMetric, estimates
from vlmbench.scoring.sample_scores import score_samples
from vlmbench.text import japanese, mecab

Pairs: TypeAlias = list[tuple[str, str]]

ROOT = Path(__file__).parents[2]
GOLD_FILE = ROOT.parent / "shared" / "reference" / "gold" / "text_bleu.json"

ROUGE_L = ("overlap.rouge_l",)
OVERLAP = tuple(
    f"overlap.{name}"
    for name in ("rouge_1", "rouge_2", "rouge_l", "bleu", "sentence_bleu", "chrf", "chrf_pp")
)
CAPTION = tuple(
    f"caption.{name}"
    for name in ("cider", "cider_d", "bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l")
)
LANGUAGE = ("language.japanese", "language.kana", "language.repetition")

PLACES = (
    "駅前の広場で",
    "古い木造の橋の上で",
    "海辺の公園の芝生で",
    "雪の積もった山の麓で",
    "薄暗い台所の隅で",
    "商店街の入口で",
    "夕暮れの港で",
    "図書館の二階の窓際で",
)
SUBJECTS = (
    "白い猫が二匹",
    "赤い傘をさした女性が",
    "自転車に乗った少年が",
    "大きな茶色の犬が",
    "青い制服の駅員が",
    "三人の子供たちが",
    "黄色い路面電車が",
    "帽子をかぶった老人が",
)
DEEDS = (
    "静かに眠っている",
    "写真を撮っている",
    "何かを探しているように見える",
    "ゆっくりと歩いている",
    "こちらを振り返っている",
    "パンを食べている",
    "本を読みながら笑っている",
    "雨宿りをしている",
)
ADDITIONS = (
    "背景には高い建物が並んでいる",
    "手前には花壇がある",
    "空は曇っていて少し寒そうだ",
    "右側の看板には「営業中」と書かれている",
    "左奥に2台のトラックが停まっている",
    "全体として落ち着いた雰囲気の写真である",
    "時刻は午後3時ごろだと思われる",
)


def made(count: int, sentences: int, *, seed: int = 0) -> Pairs:
    """Different pairs of an answer and a reference, which share phrases as captions do."""
    source = random.Random(seed)
    pairs = []
    for number in range(count):
        place, subject = source.choice(PLACES), source.choice(SUBJECTS)
        texts = []
        for _ in range(2):
            words = place + subject + source.choice(DEEDS)
            more = source.choices(ADDITIONS, k=sentences - 1)
            texts.append("。".join([words, *more, f"番号は{number}番です。"]))
        pairs.append((texts[0], texts[1]))
    return pairs


def cpu(action: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the fastest of several runs."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        times.append(time.process_time() - started)
    return min(times)


def bare(pairs: Pairs) -> None:
    """Tokenization and nothing else."""
    tagger = mecab.unidic()
    for pair in pairs:
        for text in pair:
            tagger.parse(text).split()


def answered(pairs: Pairs) -> tuple[dict[str, JournalSample], dict[str, Response]]:
    """The pairs as a run's samples and a model's responses."""
    samples = {
        str(number): JournalSample(number, (), (), (reference,), (), {}, str(number))
        for number, (_, reference) in enumerate(pairs)
    }
    responses = {
        name: Response(name, name, text=answer)
        for name, (answer, _) in zip(samples, pairs, strict=True)
    }
    return samples, responses


def scorer(pairs: Pairs, names: Sequence[str]) -> Callable[[], list[SampleScores]]:
    """What scores them as `vlmbench score` does, with nothing remembered from before."""
    samples, responses = answered(pairs)
    metrics = [ScoredMetric(name, load_metric(name)) for name in names]

    def score() -> list[SampleScores]:
        japanese._words.clear()
        comparison.compare_texts.cache_clear()
        return score_samples(samples, responses, metrics)

    return score


def compared(
    pairs: Pairs, actions: Sequence[Callable[[], object]], repeats: int
) -> tuple[float, list[float]]:
    """CPU seconds of bare tokenization and of actions, the fastest of several runs of each.

    They take turns, so that a machine that is slower for a while is so for all of them.
    """
    turns = [partial(bare, pairs), *actions]
    rounds = [[cpu(turn, 1) for turn in turns] for _ in range(repeats)]
    tokenizing, *spent = map(min, zip(*rounds, strict=True))
    return tokenizing, spent


def ratio(pairs: Pairs, names: Sequence[str], repeats: int = 3) -> float:
    """Time of these metrics as a multiple of bare tokenization."""
    tokenizing, (spent,) = compared(pairs, [scorer(pairs, names)], repeats)
    return spent / tokenizing


def gold_pairs() -> Pairs:
    """Answers of models with a reference each, if they are here."""
    if not GOLD_FILE.exists():
        return []
    corpora = json.loads(GOLD_FILE.read_text(encoding="utf-8"))["inputs"]["corpora"]
    single = [items for name, items in corpora.items() if name != "edge" and "multi" not in name]
    return [(item["hyp"], item["refs"][0]) for items in single for item in items]


def bootstrap_seconds(count: int) -> float:
    """CPU seconds of all intervals of all metrics."""
    names = (*OVERLAP, *CAPTION, *LANGUAGE)
    rows = scorer(made(count, 2), names)()
    metrics = [ScoredMetric(name, load_metric(name)) for name in names]
    return cpu(lambda: estimates(rows, metrics, total=count), 2)


def print_metrics(scale: int) -> None:
    """What each group of metrics costs."""
    print("| Texts | metrics | pairs/s | times bare tokenization |")
    print("|---|---|--:|--:|")
    sets = {
        "captions made here": made(3000 // scale, 1),
        "paragraphs made here": made(2000 // scale, 5),
        "model answers": gold_pairs(),
    }
    groups = {
        "ROUGE-L": ROUGE_L,
        "overlap and caption": (*OVERLAP, *CAPTION),
        "language": LANGUAGE,
    }
    for label, pairs in sets.items():
        if not pairs:
            continue
        length = sum(len(text) for pair in pairs for text in pair) // (2 * len(pairs))
        tokenizing, spent = compared(pairs, [scorer(pairs, names) for names in groups.values()], 9)
        speed = len(pairs) / tokenizing
        print(f"| {label}, {length} characters | (tokenization) | {speed:,.0f} | 1 |")
        for name, seconds in zip(groups, spent, strict=True):
            per_second = len(pairs) / seconds
            print(f"| {label} | {name} | {per_second:,.0f} | {seconds / tokenizing:.2f} |")


def print_growth(scale: int) -> None:
    """Cost and memory from a thousand to a hundred thousand pairs."""
    print("\n| pairs | microseconds a pair | times bare tokenization | peak memory, MiB |")
    print("|--:|--:|--:|--:|")
    for count in (1_000 // scale, 10_000 // scale, 100_000 // scale):
        pairs = made(count, 1)
        repeats = max(1, min(9, 30_000 // scale // count))
        tokenizing, (spent,) = compared(pairs, [scorer(pairs, (*OVERLAP, *CAPTION))], repeats)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"| {count:,} | {spent / count * 1e6:.0f} | {spent / tokenizing:.2f} | {peak:,} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the pairs")
    scale = 10 if parser.parse_args().quick else 1
    print_metrics(scale)
    print_growth(scale)
    seconds = bootstrap_seconds(10_000 // scale)
    print(f"\nIntervals of 17 metrics on {10_000 // scale:,} samples take {seconds:.2f} s.")


if __name__ == "__main__":
    main()
