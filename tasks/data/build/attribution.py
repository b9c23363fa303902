"""Who made what the suite is built from: ATTRIBUTION.md."""

from __future__ import annotations

import photos
import real_charts
from credits import Credit

from vlmbench.train.synthetic.concepts import ART_STYLES

DRAWN = "drawn at 80 pixels, scaled, composed into scenes"

STYLES: dict[str, tuple[str, str, str]] = {
    "noto": ("Google Inc.", "1.2.9", "Apache-2.0"),
    "noto-v1": ("Google Inc.", "1.2.5", "Apache-2.0"),
    "fluent-emoji-flat": ("Microsoft Corporation", "1.2.6", "MIT"),
    "fluent-emoji": ("Microsoft Corporation", "1.2.7", "MIT"),
    "emojione": ("Emoji One", "1.2.3", "CC-BY-4.0"),
    "fxemoji": ("Mozilla", "1.2.2", "Apache-2.0"),
    "twemoji": ("Twitter, Inc. and contributors (jdecked)", "1.2.5", "CC-BY-4.0"),
}
"""Author, package version and licence by style, as each package's info.json states them."""


MIT_HOLDERS = (
    "Copyright (c) Microsoft Corporation (Fluent Emoji)",
    "Copyright (c) 2018 Jake Vanderplas (vega-datasets)",
    "Copyright (c) 2018 uehara, 2024 ciffelia (matplotlib-fontja)",
)
MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and \
associated documentation files (the "Software"), to deal in the Software without restriction, \
including without limitation the rights to use, copy, modify, merge, publish, distribute, \
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is \
furnished to do so, subject to the following conditions: The above copyright notice and this \
permission notice shall be included in all copies or substantial portions of the Software. THE \
SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT \
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND \
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, \
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, \
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""


def _notice() -> str:
    holders = "".join(f"- {holder}\n" for holder in MIT_HOLDERS)
    return f"\n## Notice for what is under the MIT licence\n\n{holders}\n{MIT}\n"


def emoji_credits() -> list[Credit]:
    """The art styles and the names of the basic level."""
    styles = [
        Credit(
            key=style,
            title=title,
            author=STYLES[style][0],
            package=f"@iconify-json/{style} (npm)",
            version=STYLES[style][1],
            licence=STYLES[style][2],
            changes=DRAWN,
        )
        for style, title in ART_STYLES.items()
    ]
    names = Credit(
        key="cldr",
        title="Unicode CLDR annotations, Japanese",
        author="Unicode, Inc.",
        package="cldr-annotations-full (npm)",
        version="48.2.0",
        licence="Unicode-3.0",
        changes="short names of 101 emoji, some shortened, other names added",
    )
    return [*styles, names]


def attribution() -> str:
    """The Markdown of the attribution file."""
    sections = (
        ("Emoji art and names (basic level)", emoji_credits()),
        ("Figures, names and font of the charts (both levels)", real_charts.credits()),
        ("Photographs (real level)", photos.credits()),
    )
    head = (
        "# Attribution\n\n"
        "What the embedded suite is made from. Questions, captions and answers were written for "
        "vlmbench and are under its licence, Apache-2.0. A question's column `source` names the "
        "key of each picture here.\n"
    )
    body = "".join(_section(title, credits) for title, credits in sections)
    return head + body + _notice()


def _section(title: str, credits: list[Credit]) -> str:
    rows = "".join(
        f"| {c.key} | {c.title} | {c.author} | {c.package} {c.version} | {c.licence} "
        f"| {c.changes} |\n"
        for c in credits
    )
    return (
        f"\n## {title}\n\n| key | title | author | package | licence | changes |\n"
        f"|---|---|---|---|---|---|\n{rows}"
    )
