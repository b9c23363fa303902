"""The index of evaluation samples: ids read out of rows, and what the cache keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_tasks import color_rows, write_task

from vlmbench.tasks.registry import load_task
from vlmbench.tasks.spec import TaskSpec
from vlmbench.train.data.evaluation_index import EvaluationIndex, known_ids


def one_task(folder: Path, **changes: object) -> TaskSpec:
    return load_task(str(write_task(folder, color_rows(8), **changes)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"coco_id": 391895}, {"coco:391895"}),
        ({"coco_id": 391895.0, "flickr_id": float("nan")}, {"coco:391895"}),
        ({"image": "coco/train2017/000000391895.jpg"}, {"coco:391895"}),
        ({"file_name": "COCO_val2014_000000391895.jpg"}, {"coco:391895"}),
        ({"url": "http://images.cocodataset.org/val2017/000000391895.jpg"}, {"coco:391895"}),
        ({"url": "https://cs.stanford.edu/people/rak248/VG_100K_2/1592.jpg"}, {"vg:1592"}),
        ({"url": "http://farm9.staticflickr.com/8041/8024364_03b0.jpg"}, {"flickr:8024364"}),
        ({"image_id": "1592"}, {"image_id:1592"}),
        ({"coco_id": None, "flickr_id": "", "image_id": -1, "vg_id": 0}, set()),
        ({"coco_id": True, "id": 7, "answer": "391895"}, set()),
    ],
)
def test_known_ids(values: dict[str, object], expected: set[str]) -> None:
    assert known_ids(values) == expected


def test_the_index_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    task = one_task(
        tmp_path / "task",
        fields={
            "id": "{{ row.id }}",
            "images": ["images"],
            "references": {"column": "references"},
            "meta": ["kind", "style"],
        },
    )
    first = EvaluationIndex.of_tasks([task])
    (kept,) = (tmp_path / "cache" / "contamination").iterdir()
    written = kept.stat().st_mtime_ns
    assert EvaluationIndex.of_tasks([task]).samples == first.samples
    assert kept.stat().st_mtime_ns == written
    kept.write_text("[{", encoding="utf-8")
    assert EvaluationIndex.of_tasks([task]).samples == first.samples
    other = one_task(tmp_path / "task", prompt="{{ row.question | interleave }}\n一語で。\n")
    EvaluationIndex.of_tasks([other])
    assert len(list((tmp_path / "cache" / "contamination").iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "file"))
    assert len(EvaluationIndex.of_tasks([one_task(tmp_path)]).samples) == 8
