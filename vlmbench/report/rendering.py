"""How pages are rendered: templates, the words in both languages, how numbers are written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

_LONGEST_DETAIL = 300


class Words(NamedTuple):
    """A text of a task or a group in both languages; the same where it has only one."""

    english: str
    japanese: str

    def __str__(self) -> str:
        return self.english


def words(english: object, japanese: object = "") -> Words:
    """A text in both languages; without a Japanese one the English one stands for both."""
    return Words(str(english), str(japanese or english))


def environment(strings: Mapping[str, Sequence[str]]) -> jinja2.Environment:
    """What renders the templates; `strings` holds English and Japanese by key."""

    def label(key: str) -> Markup:
        return Markup('<span data-t="{}">{}</span>').format(key, strings[key][0])

    def label_attribute(attribute: str, key: str) -> Markup:
        return Markup('{0}="{1}" data-t-{0}="{2}"').format(attribute, strings[key][0], key)

    def breakable(text: object) -> Markup:
        """Lets long names break after the characters that join their parts, and nowhere else."""
        parts = re.sub(r"([-_/|:.@,])", r"\1<wbr>", str(escape(text)))
        return Markup('<span class="name">{}</span>').format(Markup(parts))

    def both(text: Words) -> Markup:
        """A text that the language button changes."""
        if text.english == text.japanese:
            return Markup("<span{}>{}</span>").format(_language(text), text.english)
        shown = Markup('<span data-en="{0}" data-ja="{1}">{0}</span>')
        return shown.format(text.english, text.japanese)

    def quoted(text: object) -> Markup:
        """Text with what stands between backticks as code."""
        return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))

    # No sandbox, which would take half of the time: the templates are our own files.
    made = jinja2.Environment(
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
        short=_short,
        both=both,
        quoted=quoted,
        breakable=breakable,
        lang=_language,
        plain=_plain,
    )
    return made


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _short(value: float | None) -> str:
    """A count with its unit prefix: 6.5 M, 7.2 B."""
    if value is None:
        return "–"
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:g}"


def _language(text: object) -> Markup:
    """A lang attribute for text that holds kana or Chinese characters."""
    japanese = re.search("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]", str(text))
    return Markup(' lang="ja"') if japanese else Markup("")


def _plain(value: Any) -> str:
    """A detail of a run as text: no path of the machine, nothing without end."""
    shown = _without_folders(value)
    if isinstance(shown, float):
        text = f"{shown:.4g}" if abs(shown) < 1000 else f"{shown:,.0f}"
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
