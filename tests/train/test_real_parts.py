"""The recipe of real parts, a few steps of each stage, where the parts were fetched.

`vlmbench train fetch-parts gemma3-dinov2` gets them (328 MB); `.ci/run` does so.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vlmbench.cli.main import main
from vlmbench.errors import UsageError
from vlmbench.train.fetch_parts import find_parts
from vlmbench.train.run import find_recipe


def missing_parts() -> str:
    try:
        find_parts("gemma3-dinov2")
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.skipif(bool(missing_parts()), reason=missing_parts())
def test_real_parts_go_through_the_three_stages(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = yaml.safe_load(find_recipe("gemma3-dinov2-ja").read_text(encoding="utf-8"))
    recipe["validation"] = {"rows": 2}
    for stage in recipe["stages"]:
        stage.update(max_steps=2, per_device_train_batch_size=2)
    recipe["stages"][0]["contrastive"]["pictures"] = 4
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    out = tmp_path / "out"
    assert main(["train", "run", str(path), "--out", str(out)]) == 0
    folders = [out / "stages/1", out / "stages/2", out]
    assert all((folder / "checkpoint.json").is_file() for folder in folders)
    ran = ["--tasks", "ja-vqa", "--limit", "2", "--out", str(tmp_path / "runs")]
    assert main(["run", "--model", str(out), *ran]) == 0

    language = str(find_parts("gemma3-dinov2")[1])
    assert main(["run", "--model", language, *ran, "--image-mode", "blind"]) == 0
    assert "was asked as a base model" in capfd.readouterr().err
