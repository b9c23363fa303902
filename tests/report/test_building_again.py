"""What did not change is kept, and looks as if it had been made anew."""

from __future__ import annotations

import http.client
import os
from pathlib import Path

import pytest
from made_runs import answered_run, make_task, question
from made_site import index

from vlmbench.errors import UsageError
from vlmbench.report.html import build_site
from vlmbench.report.serve import VERSION, build, start

ROWS = [question(n) for n in range(12)]
RIGHT = {row["id"]: "赤" for row in ROWS}


@pytest.fixture
def tasks(tmp_path: Path) -> list[Path]:
    return [make_task(tmp_path / "tasks", ROWS, name=name) for name in ("first", "second")]


def files(site: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()
    }


def test_only_the_task_of_a_new_run_is_made_anew(tmp_path: Path, tasks: list[Path]) -> None:
    runs, site = tmp_path / "runs", tmp_path / "site"
    for task in tasks:
        for name in ("a", "b"):
            answered_run(task, runs, name, RIGHT)
    assert build_site([runs], site).rebuilt == ("first", "second")
    kept = (site / "samples/second/text-0.js").stat().st_ino
    one_answer = (site / "samples/first/scripted-a.0.js").stat().st_ino
    assert build_site([runs], site).rebuilt == ()
    answered_run(tasks[0], runs, "c", dict.fromkeys(RIGHT, "青"))
    assert build_site([runs], site).rebuilt == ("first",)
    # A file that was linked has the same place on the disk: the answers of others are not read.
    assert (site / "samples/second/text-0.js").stat().st_ino == kept
    assert (site / "samples/first/scripted-a.0.js").stat().st_ino == one_answer
    assert [one["name"] for one in index(site, "first")["models"]][-1] == "scripted-c"
    build_site([runs], tmp_path / "fresh")
    assert files(site) == files(tmp_path / "fresh")


def test_what_changes_is_seen(tmp_path: Path, tasks: list[Path]) -> None:
    runs, site = tmp_path / "runs", tmp_path / "site"
    answered_run(tasks[0], runs, "a", RIGHT)
    build_site([runs], site)
    assert build_site([runs], site, samples_per_task=3).rebuilt == ("first",)
    record = runs / "scripted-a" / "first" / "run.json"
    os.utime(record, ns=(1, 1))
    assert build_site([runs], site, samples_per_task=3).rebuilt == ("first",)
    (site / "samples/first/index.js").unlink()
    assert build_site([runs], site, samples_per_task=3).rebuilt == ("first",)
    (site / "tasks/first.html").unlink()
    build_site([runs], site, samples_per_task=3)
    assert (site / "tasks/first.html").is_file()


def test_progress_is_told(tmp_path: Path, tasks: list[Path]) -> None:
    for task in tasks:
        answered_run(task, tmp_path / "runs", "a", RIGHT)
    told: list[tuple[int, int, str]] = []
    build_site([tmp_path / "runs"], tmp_path / "site", progress=lambda *one: told.append(one))
    assert told == [(0, 2, "first"), (1, 2, "second"), (2, 2, "")]


def test_the_server_serves_this_machine_only(tmp_path: Path, tasks: list[Path]) -> None:
    answered_run(tasks[0], tmp_path / "runs", "a", RIGHT)
    site = tmp_path / "site"
    build([tmp_path / "runs"], site)
    assert "static/live.js" in (site / "index.html").read_text()
    assert (site / VERSION).is_file()
    server = start(site, 0)
    port = int(server.server_address[1])
    try:
        assert get(port, "/index.html", f"127.0.0.1:{port}") == 200
        assert get(port, "/nothing.html", f"localhost:{port}") == 404
        # A page elsewhere that makes a browser ask this machine names another host.
        assert get(port, "/index.html", f"elsewhere.example:{port}") == 403
        with pytest.raises(UsageError, match=f"Port {port} of 127.0.0.1 cannot be used"):
            start(site, port)
    finally:
        server.shutdown()
        server.server_close()


def get(port: int, path: str, host: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Host": host})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_a_site_of_reports_has_no_script_that_loads_it_again(
    tmp_path: Path, tasks: list[Path]
) -> None:
    answered_run(tasks[0], tmp_path / "runs", "a", RIGHT)
    build_site([tmp_path / "runs"], tmp_path / "site")
    assert "live.js" not in (tmp_path / "site" / "index.html").read_text()
    assert not (tmp_path / "site" / "static" / "live.js").exists()
