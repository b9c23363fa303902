"""The distribution is called vlmbench-ja: on the package index, vlmbench is another product."""

from __future__ import annotations

import re
import subprocess

from locations import ROOT

KINDS = (".py", ".yaml", ".yml", ".md", ".toml", ".txt", ".sh", ".html", ".jinja", ".j2", ".js")
WRONG = re.compile(
    r"""vlmbench\\?\[(?!\"|')          # an extra of the other product
    | pip\ install\b[^\n;#]*?['"\s]vlmbench(?=['"\s=<>~`.,)]|$)   # or that product itself
    """,
    re.VERBOSE,
)


def test_nobody_is_told_to_install_the_other_product() -> None:
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.check_output(command)
    files = [ROOT / name for name in listed.decode().splitlines()]
    read = [path for path in files if path.suffix in KINDS and path.is_file()]
    assert len(read) > 300
    wrong = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in read
        if path.name != "test_distribution.py"
        for found in WRONG.finditer(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_what_is_wrong_is_found() -> None:
    for text in (
        "pip install 'vlmbench[ray]'",
        "pip install -U vlmbench",
        r"match=r\"pip install 'vlmbench\[compat\]'\"",
        "needs vlmbench[compat].",
        "`pip install vlmbench`",
        "pip install vlmbench==0.1.0",
    ):
        assert WRONG.search(text), text
    for text in (
        "pip install 'vlmbench-ja[ray]'",
        "pip install . and `vlmbench demo`",
        "git clone x && cd vlmbench\npip install .",
        "pip install '.[compat]'; vlmbench doctor",
    ):
        assert not WRONG.search(text), text
