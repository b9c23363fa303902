"""What the gate says of tiny-ja, damaged, run again and run elsewhere: a table of docs/gate.md.

    python tests/bench/damage_tiny_ja.py /tmp/damage

tiny-ja's answers to the four embedded tasks are the baseline. Damaged are its weights (normal noise
of so many standard deviations of each tensor), its images, or its answers. On 60 samples of ja-vqa
it is asked five times more in batches of other sizes, and once behind an OpenAI-compatible server
that answers one by one with transformers' own calls. Five minutes of one core; what was answered
before is not asked again.

The answers that need the model are written to tests/compare/gate/tiny_ja_answers.json.xz, from
which the tests of the gate take them.
"""

from __future__ import annotations

import contextlib
import io
import json
import lzma
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import vlmbench
from vlmbench.cli.main import main
from vlmbench.runs.journal import read_journal

sys.path.insert(0, str(Path(__file__).parents[1]))
from made_tiny_server import tiny_server  # tests/ is found by pytest only

TASKS = ("ja-caption", "ja-vqa", "ja-chart", "ja-multi-image")
AGAIN = ("--limit", "60", "--replicas", "1")
TINY = Path(vlmbench.__file__).parent / "models" / "tiny-ja"
OUT = Path(__file__).parents[1] / "compare" / "gate" / "tiny_ja_answers.json.xz"


def add_noise(folder: Path, noise: float) -> Path:
    """A copy of tiny-ja whose weights have noise on them."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(TINY, folder, dirs_exist_ok=True)
    file = folder / "model.safetensors"
    weights, draw = load_file(file), torch.Generator().manual_seed(0)
    for name in sorted(weights):
        exact = weights[name].float()
        drawn = torch.randn(exact.shape, generator=draw)
        if exact.numel() > 1:
            weights[name] = (exact + noise * exact.std(correction=0) * drawn).to(
                weights[name].dtype
            )
    save_file(weights, file, metadata={"format": "pt"})
    return folder


def answers(run: Path, suffix: str = "") -> dict[str, dict[str, str]]:
    """By task and sample id."""
    return {
        task: {
            name: response.text or ""
            for name, response in read_journal(
                run / f"{task}{suffix}" / "journal.jsonl"
            ).responses.items()
        }
        for task in TASKS
    }


def ask(model: str, out: Path, *more: str, tasks: Sequence[str] = TASKS) -> Path:
    """The runs of a model, asked where they are not there yet."""
    common = ["--tasks", ",".join(tasks), "--out", str(out), "--no-cache", "--quiet"]
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["run", "--model", model, *common, *more]) == 0
    return out


def make(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """All answers, by model."""
    runs = ask("tiny-ja", folder / "runs", "--image-mode", "blind")
    found = {"whole": answers(runs / "tiny-ja"), "blind": answers(runs / "tiny-ja", "@blind")}
    for noise in (0.35, 0.001):
        model = add_noise(folder / f"noise-{noise}", noise)
        found[model.name] = answers(ask(str(model), runs) / model.name)
    return found


def changed(
    whole: dict[str, dict[str, str]], change: Callable[[int, str], str]
) -> dict[str, dict[str, str]]:
    """The whole model's answers, changed by their place and text."""
    return {
        task: {
            name: change(place, text) for place, (name, text) in enumerate(sorted(asked.items()))
        }
        for task, asked in whole.items()
    }


def damaged(
    found: dict[str, dict[str, dict[str, str]]],
) -> dict[str, dict[str, dict[str, str]]]:
    """Answers of damaged models by what was done to them."""
    whole = found["whole"]
    return {
        "images dropped": found["blind"],
        "answers cut to one character": changed(whole, lambda place, text: text[:1]),
        "answers in Chinese": changed(
            whole, lambda place, text: "这张图片里有一只狗，它在草地上跑。"
        ),
        "every 20th answer empty": changed(
            whole, lambda place, text: "" if place % 20 == 0 else text
        ),
    }


def answered(folder: Path, name: str, given: dict[str, dict[str, str]]) -> Path:
    """Runs with these answers."""
    script = folder / f"{name.replace(' ', '-')}.jsonl"
    script.write_text(
        "\n".join(
            json.dumps({"id": sample, "text": text})
            for asked in given.values()
            for sample, text in asked.items()
        )
    )
    return ask(f"baseline:scripted:{script}", folder / script.stem)


def checked(runs: Path, baseline: Path) -> dict[str, object]:
    """The gate's report."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main(["gate", "check", str(runs), "--baseline", str(baseline), "--json"])
    report: dict[str, object] = json.loads(printed.getvalue())
    return report


def verdicts(folder: Path, found: dict[str, dict[str, dict[str, str]]]) -> Iterator[str]:
    """Rows of a Markdown table: what was run, the gate's words on it, its exit code."""
    whole = saved(folder / "runs" / "tiny-ja", folder / "baseline.json")
    for noise in (0.35, 0.001):
        noisy = folder / "runs" / f"noise-{noise}"
        yield row(f"weights with noise of {noise}", checked(noisy, whole))
    for name, given in damaged(found).items():
        yield row(name, checked(answered(folder, name, given), whole))
    first = ask("tiny-ja", folder / "again", *AGAIN, tasks=["ja-vqa"])
    part = saved(first, folder / "baseline-again.json")
    for size in (2, 3, 4, 8, 32):
        options = [*AGAIN, "--batch-size", str(size)]
        again = ask("tiny-ja", folder / f"again-{size}", *options, tasks=["ja-vqa"])
        yield row(f"again, in batches of {size}", checked(again, part))
    with tiny_server() as server:
        options = [*AGAIN, "--model-option", f"base_url={server.url}"]
        other = ask("openai:tiny-ja", folder / "server", *options, tasks=["ja-vqa"])
    yield row("behind another runner", checked(other, part))


def saved(runs: Path, file: Path) -> Path:
    """A baseline of runs."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["gate", "save", str(runs), "-o", str(file)]) == 0
    return file


def row(name: str, report: dict[str, object]) -> str:
    """Of the table."""
    rows = report["rows"]
    assert isinstance(rows, list)
    over_all = [one for one in rows if one["kind"] == "pooled"] or rows
    pooled = over_all[0]
    regressed = Counter(
        "tasks" if one["kind"] == "task" else one["metric"]
        for one in rows
        if one["gated"] and one["verdict"] == "regressed" and one["kind"] in ("task", "share")
    )
    change = f"{pooled['difference']:+.4f} [{pooled['low']:+.4f}, {pooled['high']:+.4f}]"
    what = ", ".join(f"{name}: {count}" for name, count in regressed.items())
    return f"| {name} | {change} | {report['verdict']} | {what} | {report['exit_code']} |"


def write(found: dict[str, dict[str, dict[str, str]]]) -> None:
    """Write the file, where it says something else."""
    if OUT.exists() and json.loads(lzma.decompress(OUT.read_bytes())) == found:
        return
    OUT.write_bytes(lzma.compress(json.dumps(found, ensure_ascii=False).encode()))


if __name__ == "__main__":
    made = make(Path(sys.argv[1]))
    write(made)
    print("| run | change | verdict | regressed | exit |\n|---|---|---|---|--:|")
    for line in verdicts(Path(sys.argv[1]), made):
        print(line, flush=True)
