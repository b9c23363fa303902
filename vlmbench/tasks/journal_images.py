"""The pictures of a run's samples: from where the run kept them, else from the data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vlmbench.records import Image, JournalSample
from vlmbench.runs.directory import RunDir
from vlmbench.runs.images import ImageFolder
from vlmbench.tasks.samples import read_samples
from vlmbench.tasks.spec import TaskSpec


def journal_images(
    directory: RunDir, task: TaskSpec, samples: Mapping[str, JournalSample]
) -> Iterator[tuple[str, dict[str, Image]]]:
    """The images of samples by digest, one sample at a time.

    Yields:
        A sample's id and its images, in any order of samples. A sample whose images are neither
        kept nor any longer in the data is left out.

    Raises:
        DataError: The data set cannot be read.
    """
    folder = ImageFolder.below(directory.path.parent.parent)
    missing: dict[str, JournalSample] = {}
    for name, sample in samples.items():
        kept = {digest: folder.find(digest) for digest in sample.images}
        found = {digest: image for digest, image in kept.items() if image is not None}
        if len(found) == len(kept):
            yield name, found
        else:
            missing[name] = sample
    for one in read_samples(task) if missing else ():
        wanted = missing.pop(one.id, None)
        images = {image.digest: image for image in one.images}
        if wanted is not None and images.keys() >= {*wanted.images}:
            yield one.id, images
        if not missing:
            return
