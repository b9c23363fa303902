"""Help and errors follow LANG where the catalog has them, and stay English elsewhere."""

from __future__ import annotations

import argparse
import ast
import gettext
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vlmbench.cli.error_templates import ERRORS, WORDS
from vlmbench.cli.help_text import columns, wrap
from vlmbench.cli.language import CATALOGS, error_text, use_catalogs
from vlmbench.cli.options import EPILOG, make_parser
from vlmbench.cli.parser import Parser

PO = CATALOGS / "ja" / "LC_MESSAGES" / "vlmbench.po"
OF_ARGPARSE = {
    "usage: ",
    "options",
    "positional arguments",
    "show this help message and exit",
    "invalid choice: %(value)r (choose from %(choices)s)",
    "invalid %(type)s value: %(value)r",
    "expected one argument",
    "expected at least one argument",
    "ambiguous option: %(option)s could match %(matches)s",
}


def in_japanese(*arguments: str, folder: Path, language: str = "ja_JP.UTF-8") -> tuple[str, str]:
    """What a command prints on stdout and on stderr."""
    kept = {k: v for k, v in os.environ.items() if k not in ("LANGUAGE", "LC_ALL", "LC_MESSAGES")}
    done = subprocess.run(
        [sys.executable, "-m", "vlmbench", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**kept, "LANG": language},
        encoding="utf-8",
    )
    return done.stdout, done.stderr


def test_help_follows_lang(tmp_path: Path) -> None:
    shown, _ = in_japanese("run", "--help", folder=tmp_path)
    assert "モデルにタスクを解かせ、答えを採点する。" in shown and "使い方: vlmbench run" in shown
    assert max(map(columns, shown.splitlines())) <= 82  # 80, and punctuation that hangs
    english, _ = in_japanese("run", "--help", folder=tmp_path, language="C.UTF-8")
    assert "Run models on tasks and score their answers." in english


def test_errors_follow_lang(tmp_path: Path) -> None:
    _, error = in_japanese("score", "gone", folder=tmp_path)
    assert error.startswith("vlmbench: フォルダー gone がありません。「vlmbench run」の出力")
    _, error = in_japanese("run", "--modle", "x", folder=tmp_path)
    assert "--modle というオプションはありません（--model、" in error


@pytest.mark.parametrize(
    ("language", "title", "group", "flaw"),
    [
        ("ja_JP.UTF-8", "画像質問応答", "日本語の主要ベンチマーク", "二者択一の質問には"),
        ("C.UTF-8", "Visual question answering", "Core Japanese benchmarks", "Some either-or"),
    ],
)
def test_tasks_are_called_as_people_speak(
    tmp_path: Path, language: str, title: str, group: str, flaw: str
) -> None:
    listed, _ = in_japanese("tasks", "list", folder=tmp_path, language=language)
    assert title in listed and group in listed
    shown, _ = in_japanese("tasks", "show", "ja-vqa", folder=tmp_path, language=language)
    assert f"title: {title}\n" in shown and flaw in shown


@pytest.fixture
def japanese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    use_catalogs()
    yield


@pytest.mark.parametrize(
    ("message", "translated"),
    [
        (
            "Unknown task '{x} (y)'. Did you mean 'a' or 'b'? See 'vlmbench tasks list'.",
            "「{x} (y)」というタスクはありません。'a'、'b' のことですか。"
            "（「vlmbench tasks list」で確かめられます）",
        ),
        (
            "there is no command chek (did you mean check?); the gate is 'vlmbench gate check RUNS "
            "--baseline FILE'; see 'vlmbench gate --help'.",
            "chek というコマンドはありません（check のことですか）。ゲートは「vlmbench gate check "
            "RUNS --baseline FILE」です。「vlmbench gate --help」を見てください。",
        ),
        (
            "Unknown sample of shop: 'q9'. Did you mean 'q8'? Check '--id'.",
            "タスク「shop」に「q9」という問題はありません。'q8' のことですか。"
            "（--id を確かめてください）",
        ),
        # What a name says is no message.
        (
            "Unknown task 'model'. See 'vlmbench tasks list'.",
            "「model」というタスクはありません。（「vlmbench tasks list」で確かめられます）",
        ),
        (
            "argument -N: '0' is not a whole number from 1 up; see 'vlmbench run --help'.",
            "引数 -N: '0' は1以上の整数ではありません。「vlmbench run --help」を見てください。",
        ),
        # A message within another.
        (
            "'prompt' of the task says the word '{q}' in every sample, and 'q' is a column; write "
            "{{ row.q }} for what it holds. 5 more samples are like this.",
            "タスクの prompt では、どの問題でも '{q}' という文字そのものになります。"
            "'q' は列の名前なので、列の値を使うには {{ row.q }} と書いてください。"
            "ほかに5問が同じです。",
        ),
        # Of two templates that fit, the closer one.
        (
            "The data file a.parquet cannot be read (Is a directory); check the path.",
            "データファイル a.parquet を読めません（Is a directory）。パスを確かめてください。",
        ),
        ("Nobody has translated this.", "Nobody has translated this."),
    ],
)
def test_a_message_is_translated_and_its_names_stay(
    message: str, translated: str, japanese: None
) -> None:
    assert error_text(message) == translated


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("問題、問題群（vlmbench tasks list）", 16, ["問題、問題群", "（vlmbench tasks", "list）"]),
        ("答えを出す。", 10, ["答えを出す。"]),  # no line begins with a full stop
        ("答えを出す問題", 10, ["答えを出す", "問題"]),
        ("a bb ccc", 5, ["a bb", "ccc"]),
    ],
)
def test_lines_are_as_wide_as_they_look(text: str, width: int, lines: list[str]) -> None:
    assert wrap(text, width) == lines


def texts(parser: Parser) -> Iterator[str]:
    """Every text of the command line that the catalog may have."""
    yield from filter(None, (group.title for group in parser._action_groups))
    yield from (action.help for action in parser._actions if action.help)
    if parser.commands is not None:
        yield from (choice.help or "" for choice in parser.commands._choices_actions)
        for one in parser.commands.choices.values():
            yield from texts(one)


def test_all_help_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "C")
    parser = make_parser()
    with PO.with_suffix(".mo").open("rb") as handle:
        japanese = gettext.GNUTranslations(handle)
    shown = {*texts(parser), parser.description or "", EPILOG, "examples:"}
    assert len(shown) > 150
    assert {one for one in shown if japanese.gettext(one) == one} == set()


def test_templates_are_of_messages_that_there_are() -> None:
    """Each piece between two names stands in a string of the package."""
    package = CATALOGS.parent.rglob("*.py")
    sources = [path for path in package if path.name != "error_templates.py"]
    sources.append(Path(argparse.__file__))
    strings = [
        node.value
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    # Small letters: a next step begins a sentence, or does not.
    there = "\n".join(strings).lower()
    for template in ERRORS:
        for piece in re.split(r"\{\w+\}|(?<=Unknown) |(?<=there is no) | at line ", template):
            words = piece.strip(" ;:.,?'()").lower()
            assert words in there, f"no message says: {words}"


def test_the_catalog_has_nothing_stale_and_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    pofile = pytest.importorskip("babel.messages.pofile", reason="the extra 'build' brings babel")
    monkeypatch.setenv("LANGUAGE", "C")
    with PO.open("rb") as handle:
        catalog = pofile.read_po(handle, locale="ja")
    parser = make_parser()
    known = {
        *texts(parser),
        *ERRORS,
        *WORDS,
        *OF_ARGPARSE,
        EPILOG,
        parser.description,
        "examples:",
        " or ",
    }
    messages = {one.id: one.string for one in catalog if one.id}
    assert messages.keys() <= known, messages.keys() - known
    assert all(messages.values()) and messages.keys() >= {*ERRORS}
    with PO.with_suffix(".mo").open("rb") as handle:
        compiled = gettext.GNUTranslations(handle)
    assert {one: compiled.gettext(one) for one in messages} == messages
    # A translation names what its template names.
    for template in ERRORS:
        fields = {part.partition("}")[0] for part in template.split("{")[1:]}
        found = {part.partition("}")[0] for part in messages[template].split("{")[1:]}
        assert found == fields - {"more"}, template
