"""docs/gate.md, followed literally in an empty folder, and the steps of its CI files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from locations import ROOT

from vlmbench.compare.gate.rules import Rules
from vlmbench.schema import parse

PAGE = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
WALK = PAGE.partition("## From an empty repository")[2].partition("\n### ")[0]
YAML = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


def commands() -> list[tuple[str, list[str]]]:
    """Each command of the walk with the lines that the page shows of its output."""
    lines = [line[4:] for line in WALK.splitlines() if line.startswith("    ")]
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def pattern(line: str) -> str:
    """A line without its numbers and the widths of its columns."""
    return " ".join(re.sub(r"[+-]?\d[\d.,]*", "#", line).split())


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where `vlmbench` is this checkout's."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "vlmbench"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vlmbench "$@"\n')
    script.chmod(0o755)
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": paths,
    }


@pytest.fixture(scope="module")
def walked(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> tuple[Path, list[tuple[str, list[str], str]]]:
    """The folder after the walk, and each command with what the page shows and what it printed."""
    folder = tmp_path_factory.mktemp("repository")
    done = []
    for command, shown in commands():
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            text=True,
            capture_output=True,
            check=False,
            env=environment,
        )
        assert result.returncode == 0, f"{command}: {result.stderr}"
        done.append((command, shown, result.stdout))
    return folder, done


def test_the_walk_prints_what_the_page_shows(
    walked: tuple[Path, list[tuple[str, list[str], str]]],
) -> None:
    _, done = walked
    assert len(done) == 9
    for command, shown, printed in done:
        lines = iter([pattern(line) for line in printed.splitlines()])
        for line in shown:
            if line != "...":
                assert pattern(line) in lines, f"{command} does not print: {line}"


def action() -> dict[str, Any]:
    """action.yml."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return values


def run_action(
    folder: Path, environment: dict[str, str], inputs: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """The action's steps but for the installation, as GitHub runs them."""
    values = {
        name: str(one.get("default", "")) for name, one in action()["inputs"].items()
    } | inputs
    outputs = {"GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary.md"}
    for name in outputs.values():
        (folder / name).write_text("")
    steps = [one for one in action()["runs"]["steps"] if "if" not in one]
    assert len(steps) == 1
    given = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: values[found[1]], text)
        for name, text in steps[0]["env"].items()
    }
    assert "${{" not in steps[0]["run"]  # inputs come through the environment only
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps[0]["run"]],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
        env={
            **environment,
            **given,
            **{name: str(folder / one) for name, one in outputs.items()},
            "RUNNER_TEMP": str(folder),
        },
    )


@pytest.mark.parametrize(("model", "code"), [("tiny-ja", 0), ("baseline-majority", 1)])
def test_the_github_action(
    walked: tuple[Path, Any], environment: dict[str, str], model: str, code: int
) -> None:
    folder, _ = walked
    example = yaml.safe_load(YAML[0])["jobs"]["gate"]["steps"][-1]["with"]
    assert set(example) <= set(action()["inputs"])
    inputs = {**example, "runs": f"new/{model}", "undecided": "fail", "max-missing": "0.01"}
    done = run_action(folder, environment, inputs)
    assert done.returncode == code, done.stderr
    assert f"exit-code={code}\n" in (folder / "output").read_text()
    assert ("::error title=" in done.stdout) == (code == 1)
    assert (folder / "summary.md").read_text().startswith("### vlmbench gate: ")
    assert (folder / "vlmbench-gate.md").exists() and (folder / "vlmbench-gate.xml").exists()


def test_an_input_is_no_command(walked: tuple[Path, Any], environment: dict[str, str]) -> None:
    folder, _ = walked
    inputs = {"runs": "new/tiny-ja", "baseline": "$(touch stolen); touch stolen"}
    assert run_action(folder, environment, inputs).returncode == 2
    assert not (folder / "stolen").exists()


def test_the_gitlab_job(walked: tuple[Path, Any], environment: dict[str, str]) -> None:
    folder, _ = walked
    job = yaml.safe_load(YAML[1])["gate"]
    install, *script = job["script"]
    assert install.startswith("pip install ")
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(script)],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    for name in [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]:
        assert (folder / name).exists()


def test_the_rules_on_the_page_are_rules() -> None:
    rules = parse(Rules, yaml.safe_load(YAML[2]), location="docs/gate.md")
    assert set(yaml.safe_load(YAML[2])) == set(Rules.model_fields)
    assert rules.share_margin("refusal") is None
