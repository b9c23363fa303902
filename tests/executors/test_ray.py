"""A real Ray cluster of two nodes on this machine, one of which is killed while it answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_requests import color_requests

from vlmbench.errors import ModelError
from vlmbench.executors.local import LocalExecutor
from vlmbench.executors.pool import PooledExecutor
from vlmbench.models.resolve import resolve_model

pytest.importorskip("ray", reason="Ray is not installed: pip install 'vlmbench-ja[ray]'")

COUNT = 48


@pytest.fixture
def cluster(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[object]:
    # Everything that Ray writes goes here; the path of its sockets must be short.
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"vb-ray-{os.getpid()}"
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # stay on 127.0.0.1
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "include_dashboard": False,
            "_system_config": {
                "health_check_initial_delay_ms": 1000,
                "health_check_period_ms": 1000,
                "health_check_failure_threshold": 3,
            },
        },
    )
    yield made
    ray.shutdown()
    made.shutdown()
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def test_a_killed_node_loses_no_sample(checkpoint: Path, cluster: object) -> None:
    from vlmbench.executors.ray import RayPool

    spec = resolve_model(str(checkpoint))
    local = LocalExecutor(batch_size=4)
    expected = {one.sample_id: one.text for one in local.map(spec, color_requests(COUNT))}
    local.close()
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]  # type: ignore[attr-defined]
    pool = RayPool(address=cluster.address, replicas=None)  # type: ignore[attr-defined]
    executor = PooledExecutor(pool, batch_size=4)
    found = []
    for number, response in enumerate(executor.map(spec, color_requests(COUNT))):
        found.append((response.sample_id, response.text))
        if number == 6:
            cluster.remove_node(nodes[0], allow_graceful=False)  # type: ignore[attr-defined]
    described = executor.describe()
    executor.close()
    assert (described["executor"], described["replicas"]) == ("ray", 2)
    assert len(found) == COUNT
    assert dict(found) == expected


def test_no_cluster_at_the_address() -> None:
    from vlmbench.executors.ray import RayPool

    with pytest.raises(ModelError, match=r"cluster at nonsense cannot be used .* --ray-address"):
        RayPool(address="nonsense", replicas=1).open(resolve_model("tiny-ja"))
