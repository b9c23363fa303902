"""LaTeX that models write around numbers, as plain text.

\\frac{3}{4}   1.5\\times10^{3}   1{,}234   50\\%   90^{\\circ}   \\text{赤}   $x$   \\(x\\)
"""

from __future__ import annotations

import re

_IS_LATEX = re.compile(r"\\[a-zA-Z%$&#_{}()\[\]]|\$[^$\n]{1,200}\$|\{,\}|\^\{")
_ARGUMENT = r"\{([^{}]*)\}"
_STYLES = re.compile(
    r"\\(?:boxed|fbox|text|textbf|textit|mathrm|mathbf|mathit|operatorname|mbox|displaystyle)\s*"
    + _ARGUMENT
)
_STEPS = [
    (re.compile(r"\\[dt]?frac\s*" + _ARGUMENT + r"\s*" + _ARGUMENT), r"\1/\2"),
    # \frac12 is a half: an argument without braces is one character.
    (re.compile(r"\\[dt]?frac\s*([0-9])\s*([0-9])"), r"\1/\2"),
    (re.compile(r"\\sqrt\s*" + _ARGUMENT), r"√\1"),
    (re.compile(r"\\sqrt\s*([0-9a-z])"), r"√\1"),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?"), "°"),
    (re.compile(r"\\(?:circ|degree)(?![a-zA-Z])"), "°"),
    (re.compile(r"\\(?:times|cdot)(?![a-zA-Z])\s*"), "×"),
    (re.compile(r"\\(?:approx|simeq|sim)(?![a-zA-Z])\s*"), "約"),
    (re.compile(r"\\pm(?![a-zA-Z])"), "±"),
    (re.compile(r"\\pi(?![a-zA-Z])"), "π"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\^\{([^{}]*)\}"), r"^\1"),
    (re.compile(r"\\[,;:! ]|\\quad|\\qquad|\\left|\\right|~"), " "),
    (re.compile(r"\\([%$&#_{}])"), r"\1"),
    (re.compile(r"\\[(\[]|\\[)\]]"), ""),
]
_MATH = re.compile(r"(?<!\\)\$\$?([^$\n]{1,200}?)(?<!\\)\$\$?")


_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[a-z]{1,12}\*?\}")
_MIXED = re.compile(r"(?<=[0-9])(?=\s*\\[dt]?frac)")
"""Between the whole part and the fraction of a mixed number."""


def plain(text: str) -> str:
    """The text with LaTeX's fractions, powers, signs and styles in plain characters.

    A text without LaTeX comes back as it is. A root stays a root: √2 is no number here.
    """
    if not _IS_LATEX.search(text):
        return text
    text = _MATH.sub(r"\1", text)
    text = _ENVIRONMENT.sub("", text).replace("\\\\", "\n").replace("&=", "=")
    text = _MIXED.sub(" ", text)
    for _ in range(4):
        before = text
        text = _STYLES.sub(r"\1", text)
        for pattern, replacement in _STEPS[:4]:
            text = pattern.sub(replacement, text)
        if text == before:
            break
    for pattern, replacement in _STEPS[4:]:
        text = pattern.sub(replacement, text)
    return text
