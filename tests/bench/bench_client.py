"""Prints what a request to an OpenAI-compatible server costs this side, as Markdown.

    python tests/bench/bench_client.py [REQUESTS]

The CPU time of the client's process, all threads, for requests of several sizes; the server is a
process of its own on 127.0.0.1 that answers at once. Each figure is the best of three rounds.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

SERVE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from made_server import MadeServer, Reply, completion
with MadeServer(lambda body, before: Reply(completion("赤"))) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""

KINDS = {"no image": None, "a PNG of 96 x 96": (96, "PNG"), "a JPEG of 1024 x 1024": (1024, "JPEG")}


def image(side: int, form: str) -> bytes:
    """A noisy picture, which is large as a file."""
    import numpy as np
    import PIL.Image

    pixels = np.random.default_rng(1).integers(0, 255, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def milliseconds(url: str, count: int, data: bytes | None) -> float:
    """CPU time a request."""
    from vlmbench.models.resolve import resolve_model
    from vlmbench.records import Generation, Image, ImagePart, Request, TextPart
    from vlmbench.runners.api.runner import OpenAIRunner

    images = () if data is None else (ImagePart(Image(data)),)
    requests = [
        Request(f"q{n}", (*images, TextPart(f"{n}: 何色ですか。")), Generation())
        for n in range(count)
    ]
    runner = OpenAIRunner()
    runner.prepare(resolve_model("openai:m", options={"base_url": url}))
    runner.generate(requests[:8])
    began = time.process_time()
    responses = runner.generate(requests)
    taken = time.process_time() - began
    runner.close()
    assert all(one.text == "赤" for one in responses)
    return 1000 * taken / count


def main() -> None:
    """Prints a row a kind of request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", nargs="?", type=int, default=500)
    options = parser.parse_args()
    arguments = [sys.executable, "-c", SERVE, str(Path(__file__).parents[1])]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        url = server.stdout.readline().strip()
        print("| request | CPU time of the client |\n|---|---:|")
        for name, kind in KINDS.items():
            data = None if kind is None else image(*kind)
            best = min(milliseconds(url, options.requests, data) for _ in range(3))
            print(f"| {name} | {best:.2f} ms |", flush=True)
        server.stdin.close()


if __name__ == "__main__":
    main()
