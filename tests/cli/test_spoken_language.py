"""Help and errors follow LANG where the catalog has them, and stay English elsewhere."""

from __future__ import annotations

import gettext
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vlmbench.cli.language import CATALOGS, ERRORS, error_text, use_catalogs
from vlmbench.cli.options import EPILOG, make_parser
from vlmbench.cli.parser import Parser

PO = CATALOGS / "ja" / "LC_MESSAGES" / "vlmbench.po"
OF_ARGPARSE = {"usage: ", "options", "positional arguments", "show this help message and exit"}


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
    assert "モデルに課題を解かせ、答えを採点する。" in shown and "使い方: vlmbench run" in shown
    assert "directory of a LoRA adapter" not in shown
    assert "shrink images of more pixels" in shown  # has no translation, so it stays
    english, _ = in_japanese("run", "--help", folder=tmp_path, language="C.UTF-8")
    assert "Run models on tasks and score their answers." in english


def test_errors_follow_lang(tmp_path: Path) -> None:
    _, error = in_japanese("score", "gone", folder=tmp_path)
    assert error.startswith("vlmbench: フォルダー gone がありません。「vlmbench run」の出力")
    _, error = in_japanese("run", "--modle", "x", folder=tmp_path)
    assert "--modle というオプションはありません（--model、" in error


@pytest.fixture
def japanese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    use_catalogs()
    yield


def test_names_in_a_message_stay_as_they_are(japanese: None) -> None:
    message = "Unknown task '{x} (y)'. Did you mean 'a' or 'b'? See 'vlmbench tasks list'."
    assert error_text(message) == (
        "「{x} (y)」という task はありません。'a'、'b' のことですか。（See 'vlmbench tasks list'.）"
    )
    assert error_text("Nobody has translated this.") == "Nobody has translated this."


def texts(parser: Parser) -> Iterator[str]:
    """Every text of the command line that the catalog may have."""
    yield from filter(None, (group.title for group in parser._action_groups))
    yield from (action.help for action in parser._actions if action.help)
    if parser.commands is not None:
        yield from (choice.help or "" for choice in parser.commands._choices_actions)
        for one in parser.commands.choices.values():
            yield from texts(one)


def test_the_catalog_has_nothing_stale_and_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    pofile = pytest.importorskip("babel.messages.pofile", reason="the extra 'build' brings babel")
    monkeypatch.setenv("LANGUAGE", "C")
    with PO.open("rb") as handle:
        catalog = pofile.read_po(handle, locale="ja")
    parser = make_parser()
    known = {*texts(parser), *ERRORS, *OF_ARGPARSE, EPILOG, parser.description, "examples:", " or "}
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
        assert found == fields, template
