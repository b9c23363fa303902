"""Files that every site has: stylesheet, scripts, the words of both languages, Plotly."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib import resources

from vlmbench import __version__
from vlmbench.report.site import Site, safe_json

_PACKAGE = resources.files("vlmbench.report")
_LIVE = "live.js"


def strings() -> dict[str, tuple[str, str]]:
    """English and Japanese words by key."""
    text = (_PACKAGE / "strings.json").read_text(encoding="utf-8")
    return {key: (english, japanese) for key, (english, japanese) in json.loads(text).items()}


def copy_static(site: Site, *, live: bool) -> None:
    """Write them.

    Args:
        live: With the script that loads a page anew when the site has changed.
    """
    for item in (_PACKAGE / "static").iterdir():
        if item.is_file() and (live or item.name != _LIVE) and item.name.endswith((".js", ".css")):
            site.write_bytes(f"static/{item.name}", item.read_bytes())
    site.write("static/strings.js", f'vlmPut("strings",{safe_json(strings())});\n')
    if not site.keep([_plotly_name()]):
        site.write(_plotly_name(), _plotly())


@cache
def code_digest() -> str:
    """Changes with the version and with every file that decides what pages look like."""
    digest = hashlib.sha256(__version__.encode())
    folders = (_PACKAGE, _PACKAGE / "templates", _PACKAGE / "static")
    for folder in folders:
        for item in sorted(folder.iterdir(), key=lambda one: one.name):
            if item.is_file():
                digest.update(item.read_bytes())
    return digest.hexdigest()[:16]


def _plotly_name() -> str:
    """The same for every site, so that pages can name it."""
    return "static/plotly.min.js"


def _plotly() -> str:
    """Plotly's own script as its Python package ships it; MIT license."""
    folder = resources.files("plotly") / "package_data"
    return (folder / "plotly.min.js").read_text(encoding="utf-8")


@cache
def plotly_style_hash() -> str:
    """The digest of the one style element that Plotly's script adds when it is loaded.

    It is for maps, which no page draws; allowed by its digest, it leaves no complaint in the
    console. Empty where this Plotly adds none.
    """
    found = re.search(
        r"""createElement\("style"\);e\.id="[0-9a-f]+",e\.textContent='((?:[^'\\]|\\.)*)'""",
        _plotly(),
    )
    if found is None:
        return ""
    style = re.sub(r"\\(.)", lambda one: {"n": "\n", "t": "\t"}.get(one[1], one[1]), found[1])
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
