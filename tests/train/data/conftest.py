"""Image files beside data that names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_rows import BLUE, RED


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "000000033471.png").write_bytes(RED)
    (tmp_path / "b.png").write_bytes(BLUE)
    return tmp_path
