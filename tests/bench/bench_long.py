"""Prints what 100,000 characters cost: seconds of processor time of each family, as Markdown.

Each metric scores an answer of 100,000 characters of ten kinds against a reference as long, and
against a short one. One core; `python tests/bench/bench_long.py`.
"""

from __future__ import annotations

import itertools
import time

from vlmbench.metrics.base import Answer, Metric, load_metric, metric_names

KINDS = {
    "one kana": "あ" * 100_000,
    "brackets": "「（[{" * 25_000,
    "quotation marks": "「" * 50_000 + "」" * 50_000,
    "numbers": "1,234.5万" * 14_285,
    "digits": "9" * 100_000,
    "letters": "答えはA、B " * 12_500,
    "reasoning": "<think>\\boxed{" * 7_142,
    "JSON": '{"a":[' * 16_666,
    "half pairs": "\ud800" * 100_000,
    "kanji": "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(100_000)),
    "white space": " \n" * 50_000,
    "sentences": "猫が窓辺で眠っている。" * 9_090,
}


def seconds(name: str, text: str) -> float:
    """The longer of two comparisons."""
    times = []
    for reference in (text[50_000:] + text[:50_000], "猫が眠る"):
        metric: Metric = load_metric(name).prepare([[reference], ["犬"], ["鳥"]])
        answer = Answer(text, (reference,), ("東京タワー", "りんご"))
        start = time.process_time()
        metric.score(answer)
        times.append(time.process_time() - start)
    return max(times)


def main() -> None:
    """Prints a row a family: its slowest metric and the kind of text that is slowest."""
    names = [name for name in metric_names() if load_metric(name).definition.encoder is None]
    load_metric("overlap.rouge_l").score(Answer("猫", ("猫",)))  # loads the dictionary
    print("| family | slowest metric | on | seconds |")
    print("|---|---|---|---:|")
    for family, members in itertools.groupby(names, lambda name: name.partition(".")[0]):
        worst = max(
            (seconds(name, text), name, kind) for name in members for kind, text in KINDS.items()
        )
        print(f"| {family} | `{worst[1]}` | {worst[2]} | {worst[0]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
