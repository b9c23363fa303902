"""`vlmbench data convert`: training data of any layout as Parquet shards."""

from __future__ import annotations

import argparse
import sys
from itertools import chain

from vlmbench.train.data.convert import convert, push_shards, skipping
from vlmbench.train.data.formats import read_examples


def data_convert_command(options: argparse.Namespace) -> int:
    """Convert, and say what was written."""
    on_error = skipping(
        options.max_errors, lambda sentence: print(f"Left out: {sentence}", file=sys.stderr)
    )
    examples = chain.from_iterable(
        read_examples(
            path,
            format=options.format,
            split=options.split,
            config=options.config,
            revision=options.revision,
            prompt=options.prompt,
            image_dir=options.image_dir,
            streaming=True,
            on_error=on_error,
        )
        for path in options.files
    )
    result = convert(
        examples,
        options.output,
        max_side=options.max_side,
        image_format=options.image_format,
        shard_mb=options.shard_mb,
        on_shard=push_shards(options.push) if options.push else None,
        on_error=on_error,
    )
    place = f"data set {options.push}" if options.push else str(options.output)
    print(
        f"{result.rows} rows with {result.images} images in {result.shards} shards: {place}\n"
        f"Images: {result.bytes_read / 1e6:.1f} MB read, "
        f"{result.bytes_written / 1e6:.1f} MB written"
    )
    return 0
