"""Prints how fast many samples pass through the whole pipeline, and what memory they take.

    python tests/bench/bench_stream.py [COUNT ...]

Scripted answers stand for the model: what is measured is reading, prompting, journal, scoring and
records, the start of the process included. Each count runs in a process of its own; CPU seconds are
those of all processes, and say what it takes where the machine is busy. Memory grows with the
samples: by what a response, its prompt, references and scores take, about 2 KB.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

COUNTS = (10_000, 100_000, 400_000)

ASK = """
import resource, sys, time
from vlmbench.cli.main import main
from vlmbench.environment import peak_memory
started = time.perf_counter()
code = main(sys.argv[1:])
seconds = time.perf_counter() - started
own, others = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
cpu = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
print(f"{code} {seconds} {cpu} {peak_memory().host}", file=sys.stderr)
"""


def write(folder: Path, count: int) -> tuple[Path, Path]:
    """A task of so many samples with a small image each, and answers to them."""
    import pyarrow
    import pyarrow.parquet
    from made_tasks import COLORS, picture, write_task

    folder.mkdir()
    task = write_task(folder, None, metrics=[{"use": "match.exact"}])
    names = list(COLORS)
    pictures = {name: picture(name) for name in names}
    writer = None
    for start in range(0, count, 10_000):
        rows = [
            {
                "id": f"q{number:06}",
                "images": [{"bytes": pictures[names[number % 4]], "path": None}],
                "question": f"<image>{number}枚目は何色ですか。",
                "references": [names[number % 4]],
                "kind": "colour",
                "style": "seen",
            }
            for number in range(start, min(start + 10_000, count))
        ]
        table = pyarrow.Table.from_pylist(rows)
        writer = writer or pyarrow.parquet.ParquetWriter(folder / "colors.parquet", table.schema)
        writer.write_table(table, row_group_size=1000)
    assert writer is not None
    writer.close()
    script = folder / "answers.jsonl"
    with script.open("w", encoding="utf-8") as handle:
        for number in range(count):
            line = {"id": f"q{number:06}", "text": names[number % 3]}
            handle.write(json.dumps(line, ensure_ascii=False) + "\n")
    return task, script


def measure(count: int, folder: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds of all processes and peak MiB of a run over so many samples."""
    task, script = write(folder, count)
    arguments = ["run", "--quiet", "--model", f"baseline:scripted:{script}", "--tasks", str(task)]
    done = subprocess.run(
        [sys.executable, "-c", ASK, *arguments, "--out", str(folder / "runs")],
        capture_output=True,
        text=True,
        check=True,
    )
    code, seconds, cpu, peak = done.stderr.split()[-4:]
    assert code == "0", done.stderr
    return float(seconds), float(cpu), float(peak)


def main() -> None:
    """Prints a row a count."""
    counts = [int(one) for one in sys.argv[1:]] or list(COUNTS)
    print("| samples | seconds | samples/s | CPU seconds | samples/CPU s | peak MiB |")
    print("|" + "---:|" * 6)
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            seconds, cpu, peak = measure(count, Path(folder) / "task")
        speeds = f"{seconds:.1f} | {count / seconds:,.0f} | {cpu:.1f} | {count / cpu:,.0f}"
        print(f"| {count:,} | {speeds} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
