"""python little_memory.py CHECKPOINT MIB: a batch that needs more memory than so much beyond now.

Prints JSON: how many requests fitted together, the batch's answers, and those of each one alone.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from families.observe import RED, ask, load


def main(checkpoint: Path, mebibytes: int) -> None:
    # Eager attention holds a number for each pair of tokens.
    runner = load(checkpoint, attention="eager")
    requests = [ask(n, RED, "何色ですか。" * 200 + str(n), new_tokens=2) for n in range(8)]
    alone = [runner.generate([request])[0].text for request in requests]
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    held = next(int(line.split()[1]) for line in status if line.startswith("VmSize"))
    limit = held * 1024 + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    together = [response.text for response in runner.generate(requests)]
    print(
        json.dumps({"fitted": runner.largest_batch_that_fit, "alone": alone, "together": together})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
