"""Reference values that lie beside the checkout, where somebody has put them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from locations import GOLD


@pytest.fixture(scope="session")
def gold() -> Callable[[str], Any]:
    """A gold file's content by name; skips the test where the files are absent."""

    def load(name: str) -> Any:
        path = GOLD / f"{name}.json"
        if not path.exists():
            pytest.skip("the reference values (../shared/reference/gold) are not here")
        return json.loads(path.read_text(encoding="utf-8"))

    return load
