"""How pages are rendered: templates, the words in both languages, how numbers are written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup, escape

_LONGEST_DETAIL = 300


def environment(strings: Mapping[str, Sequence[str]]) -> jinja2.Environment:
    """What renders the templates; `strings` holds English and Japanese by key."""

    def label(key: str) -> Markup:
        return Markup('<span data-t="{}">{}</span>').format(key, strings[key][0])

    def label_attribute(attribute: str, key: str) -> Markup:
        return Markup('{0}="{1}" data-t-{0}="{2}"').format(attribute, strings[key][0], key)

    def breakable(text: object) -> Markup:
        """Lets long names break after the characters that join their parts."""
        return Markup(re.sub(r"([-_/|:.])", r"\1<wbr>", str(escape(text))))

    made = SandboxedEnvironment(
        loader=jinja2.PackageLoader("vlmbench.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(t=label, t_attr=label_attribute)
    made.filters.update(
        num="{:.3f}".format,
        signed=_signed,
        at=_position,
        breakable=breakable,
        lang=_language,
        plain=_plain,
    )
    return made


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _position(value: float, scale: float) -> str:
    """Where a value lies on an axis from 0 to `scale`; outside values stand at its ends."""
    return f"{100 * min(1.0, max(0.0, value / scale)):.2f}%"


def _language(text: object) -> Markup:
    """A lang attribute for text that holds kana or Chinese characters."""
    japanese = re.search("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]", str(text))
    return Markup(' lang="ja"') if japanese else Markup("")


def _plain(value: Any) -> str:
    """A detail of a run as text: no path of the machine, nothing without end."""
    shown = _without_folders(value)
    if isinstance(shown, float):
        text = f"{shown:.4g}" if abs(shown) < 1000 else f"{shown:.1f}"
    else:
        text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    return text if len(text) <= _LONGEST_DETAIL else text[:_LONGEST_DETAIL] + "…"


def _without_folders(value: Any) -> Any:
    """The value with only the last part of every absolute path in it."""
    if isinstance(value, Mapping):
        return {key: _without_folders(one) for key, one in value.items()}
    if isinstance(value, str) and PurePath(value).is_absolute():
        return f"…/{PurePath(value).name}"
    return value


def write_page(path: Path, text: str) -> None:
    """Writes a page as UTF-8."""
    # Names and texts may hold lone surrogates, which no page can show.
    path.write_bytes(text.encode("utf-8", "replace"))
