"""The start of a recipe whose model is put together first: `model: {assemble: ...}`."""

from __future__ import annotations

import shutil
from pathlib import Path

from vlmbench.train.recipe_sections import Assemble


def assemble_start(assembly: Assemble, seed: int, folder: Path) -> Path:
    """Puts the model together in a folder, unless it is there already.

    Raises:
        VlmbenchError: The parts are not there, or do not fit together.
    """
    if (folder / "config.json").exists():
        return folder
    from vlmbench.train.assemble import init_checkpoint
    from vlmbench.train.fetch_parts import find_parts

    if assembly.parts is not None:
        found = find_parts(assembly.parts)
        vision, language = map(str, found)
    else:
        assert assembly.vision is not None and assembly.language is not None
        vision, language = assembly.vision, assembly.language
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    init_checkpoint(
        vision=vision, language=language, connector=assembly.connector, out=part, seed=seed
    )
    part.rename(folder)
    return folder
