"""The parser of the command line: a mistake gives one sentence, with the name that was meant."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from vlmbench.cli.help_text import HelpFormatter
from vlmbench.cli.language import error_text, text
from vlmbench.errors import near_names
from vlmbench.text.visible import visible


class Names(argparse.Action):
    """Names with commas between them; the option may be repeated too. None stands twice."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        """See argparse."""
        names = [name.strip() for name in values.split(",")]
        if not any(names):
            parser.error(f"{option} names nothing ('{values}')")
        known = getattr(namespace, self.dest) or ()
        setattr(namespace, self.dest, list(dict.fromkeys((*known, *filter(None, names)))))


def whole_from(low: int) -> Callable[[str], int]:
    """Reads a whole number that is not below `low`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {low} up")
        return value

    return read


positive, natural = whole_from(1), whole_from(0)


def positive_or_auto(text: str) -> int | None:
    """A whole number from 1 up, or None for auto."""
    return None if text == "auto" else positive(text)


def temperature(text: str) -> float:
    """A number from 0 to 2."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 2")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share from 0 to 1")
    return value


VALUES: dict[str, dict[str, Any]] = {
    "RUNS": {"nargs": "+", "type": Path},
    "DIR": {"type": Path},
    "FILE": {"type": Path},
    "FILES": {"type": Path},
    "N": {"type": positive},
    "N|auto": {"type": positive_or_auto},
    "COUNT": {"type": natural},
    "T": {"type": temperature},
    "SHARE": {"type": share},
    "SEED": {"type": int, "default": 0},
    "NAMES": {"action": Names, "default": []},
    "KEY=VALUE": {"action": "append", "default": []},
}
"""How the value of an option is read, by what stands behind the option in its help."""

SHARED = {
    "runs": ("RUNS", "directories with runs"),
    "data-dir": (
        "--data-dir DIR",
        "folder of local data: <task>.parquet, <task>/*.parquet or <task>.jsonl; tasks without a "
        "file there are read from the Hugging Face Hub",
    ),
    "slices": ("--slices", "print headline metrics by slice too, such as level or kind"),
    "seed": (
        "--seed SEED",
        "random seed of sampled generation and of what a diagnosis draws; default: 0",
    ),
    "json": ("--json", "print one JSON document"),
    "quiet": ("--quiet", "show no progress bar"),
}


class Parser(argparse.ArgumentParser):
    """A command with options, or one that holds further commands."""

    moved = ""
    """What to write instead of an old spelling, which an unknown subcommand may be."""
    commands: argparse._SubParsersAction[Parser] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.target: argparse._ActionsContainer = self

    def command(
        self, name: str, summary: str, function: str | None = None, *examples: str
    ) -> Parser:
        """Add a subcommand.

        Args:
            summary: A line without a full stop.
            function: What carries it out: "MODULE.FUNCTION" of this folder, imported only then;
                None for a command that holds further ones.
            examples: Command lines, to show below its options.
        """
        if self.commands is None:
            self.commands = self.add_subparsers(
                title=text("commands"), metavar="COMMAND", required=True
            )
        summary = text(summary)
        stop = "." if summary.isascii() else "。"
        parser = self.commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}{stop}",
            epilog="\n  ".join((text("examples:"), *examples)) if examples else None,
            formatter_class=HelpFormatter,
        )
        parser.set_defaults(function=function)
        return parser

    def section(self, title: str) -> None:
        """Put the options that follow under a heading of their own."""
        self.target = self.add_argument_group(text(title))

    def option(self, declaration: str, help: str, **more: Any) -> None:
        """Add an argument.

        Args:
            declaration: Such as "--limit N", "-o/--output FILE", "--json" or "RUNS". What stands
                behind a name says how its value is read, see `VALUES`.
            help: With unit and default.
            more: For `add_argument`.
        """
        name, _, value = declaration.partition(" ")
        if not name.startswith("-"):
            how: dict[str, Any] = {"metavar": name, **VALUES.get(name, {})}
            name = name.lower()
        else:
            how = {"metavar": value, **VALUES.get(value, {})} if value else {"action": "store_true"}
        self.target.add_argument(*name.split("/"), help=text(help), **{**how, **more})

    def share(self, *names: str) -> None:
        """Add options that several commands take."""
        for name in names:
            declaration, help = SHARED[name]
            self.option(declaration, help)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See argparse, which calls this for the command and then for each subcommand."""
        arguments = sys.argv[1:] if args is None else list(args)
        if self.commands is not None and not arguments:
            self.print_help()
            raise SystemExit(2)
        self._check_names(arguments)
        found, others = super().parse_known_args(arguments, namespace)
        if others:
            self.error(f"unexpected argument '{others[0]}'")
        return found, others

    def _check_names(self, arguments: Sequence[str]) -> None:
        """Here, as argparse reports a missing option before an unknown one."""
        for word in arguments:
            if word == "--":
                return
            # As argparse has it: "-" is standard input, -1 a number, and no option holds a space.
            if word[:1] == "-" and word != "-" and not word[1].isdigit() and " " not in word:
                self._check_option(word.partition("=")[0])
            elif self.commands is not None:
                if word not in self.commands.choices:
                    self._unknown("command", word, self.commands.choices)
                return  # what follows is for the subcommand to check

    def _check_option(self, name: str) -> None:
        known = [one for one in self._option_string_actions if one.startswith("--")]
        if name.startswith("--"):
            if not any(one.startswith(name) for one in known):
                self._unknown("option", name, known)
        elif name[:2] not in self._option_string_actions:
            self._unknown("option", name, ())

    def _unknown(self, kind: str, name: str, known: Iterable[str]) -> NoReturn:
        near = near_names(name, known)
        meant = f" (did you mean {' or '.join(near)}?)" if near else ""
        moved = f"; {self.moved}" if self.moved else ""
        self.error(f"there is no {kind} {name}{meant}{moved}")

    def error(self, message: str) -> NoReturn:
        """Print one sentence, without the usage in front of it."""
        sentence = error_text(f"{message.rstrip('.')}; see '{self.prog} --help'.")
        print(f"vlmbench: {visible(sentence)}", file=sys.stderr)
        raise SystemExit(2)
