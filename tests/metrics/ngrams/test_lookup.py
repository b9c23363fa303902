from __future__ import annotations

import pickle
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.metrics.ngrams import lookup
from vlmbench.metrics.ngrams.lookup import Lookup, first_equals

NUMBERS = st.lists(st.one_of(st.integers(-5, 5), st.integers(-(1 << 63), (1 << 63) - 1)))


@pytest.fixture(params=[lookup._MIXERS, (1 << 62, 1)], ids=["usual", "nearly all collide"])
def mixers(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup, "_MIXERS", request.param)
        yield


@pytest.mark.usefixtures("mixers")
@given(numbers=NUMBERS)
@settings(max_examples=100, deadline=None)
def test_the_first_equal_one(numbers: list[int]) -> None:
    keys = np.array(numbers, dtype=np.int64)
    assert first_equals(keys).tolist() == [numbers.index(number) for number in numbers]


@pytest.mark.usefixtures("mixers")
@given(known=NUMBERS, wanted=NUMBERS)
@settings(max_examples=100, deadline=None)
def test_the_position_among_the_keys(known: list[int], wanted: list[int]) -> None:
    keys = sorted(set(known))
    table = Lookup(np.array(keys, dtype=np.int64))
    expected = [keys.index(one) if one in keys else -1 for one in [*wanted, *keys]]
    sought = np.array([*wanted, *keys], dtype=np.int64)
    for one in (table, pickle.loads(pickle.dumps(table))):
        assert one.find(sought).tolist() == expected
