"""The parser of the command line: a mistake gives one sentence, with the name that was meant."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from vlmbench.errors import near_names

Command: TypeAlias = Callable[[argparse.Namespace], int]
"""Carries out a command and returns its exit code."""

SHARED: dict[str, dict[str, Any]] = {
    "runs": {"nargs": "+", "type": Path, "metavar": "RUNS", "help": "directories with runs"},
    "--data-dir": {
        "type": Path,
        "metavar": "DIR",
        "help": "folder of local data: <task>.parquet, <task>/*.parquet or <task>.jsonl; tasks "
        "without a file there are read from the Hugging Face Hub",
    },
    "--seed": {
        "type": int,
        "default": 0,
        "metavar": "N",
        "help": "random seed, of the bootstrap and of sampled generation; default: 0",
    },
    "--json": {"action": "store_true", "help": "print one JSON document"},
    "--quiet": {"action": "store_true", "help": "show no progress bar"},
}
"""Arguments that several commands take."""

PAIRS: dict[str, Any] = {"action": "append", "default": [], "metavar": "KEY=VALUE"}
"""An option that takes KEY=VALUE and may be repeated."""


class Parser(argparse.ArgumentParser):
    """A command with options, or one that holds further commands."""

    source = ""
    """MODULE.FUNCTION, called with this parser when the command is typed, to add its options."""
    moved = ""
    """What to write instead of an old spelling, which an unknown subcommand may be."""
    commands: argparse._SubParsersAction[Parser] | None = None

    def command(self, name: str, summary: str) -> Parser:
        """Add a subcommand; the summary is a line without a full stop."""
        if self.commands is None:
            self.commands = self.add_subparsers(title="commands", metavar="COMMAND", required=True)
        return self.commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def runs(self, command: Command, *examples: str) -> Parser:
        """What carries the command out, and command lines to show below its options."""
        self.set_defaults(command=command)
        self.epilog = "\n  ".join(("examples:", *examples)) if examples else None
        return self

    def share(self, *names: str) -> None:
        """Add arguments of `SHARED`."""
        for name in names:
            self.add_argument(name, **SHARED[name])

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See argparse, which calls this for the command and then for each subcommand."""
        arguments = sys.argv[1:] if args is None else list(args)
        if self.source:
            module, _, function = self.source.rpartition(".")
            self.source = ""
            getattr(import_module(module), function)(self)
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
        print(f"vlmbench: {message.rstrip('.')}; see '{self.prog} --help'.", file=sys.stderr)
        raise SystemExit(2)


class Names(argparse.Action):
    """Names with commas between them; the option may be repeated too. None stands twice."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        """See argparse."""
        names = (name.strip() for name in values.split(","))
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
