"""YAML text into plain values within bounds: no bombs, no doubled keys, no depth without end.

A task file may come from a stranger. Two passes: the events of the parser are counted before
anything is built, then the safe loader of PyYAML builds it.
"""

from __future__ import annotations

from typing import Any

MAX_CHARACTERS = 2_000_000
"""Of a file. Rows of data belong into Parquet or JSON Lines."""
MAX_DEPTH = 50
"""Lists and mappings inside each other."""
MAX_VALUES = 200_000
"""Values of a file with its aliases written out."""


class YamlProblem(ValueError):
    """Text that is not YAML or beyond the bounds; `line` counts from 1, None where unknown."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


def load_yaml(text: str) -> Any:
    """The plain values of one YAML document.

    Raises:
        YamlProblem: It is not YAML, a key stands twice in a mapping, a value cannot be read as what
            it is tagged, or it is larger or deeper than the bounds of this module.
    """
    import yaml

    if len(text) > MAX_CHARACTERS:
        raise YamlProblem(
            f"it has {len(text):,} characters, more than {MAX_CHARACTERS:,}; rows of data belong "
            "into Parquet or JSON Lines"
        )
    try:
        _check_bounds(text)
        return yaml.load(text, Loader=_unique_loader())  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise YamlProblem(error.problem or "it is no YAML", line) from error
    except yaml.YAMLError as error:
        raise YamlProblem(str(error).split("\n")[0]) from error
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        if isinstance(error, YamlProblem):
            raise
        # What PyYAML's constructors raise on `!!timestamp x` or an integer of 5,000 digits.
        raise YamlProblem("it holds a value that is not of its type; put it in quotes") from error


def _check_bounds(text: str) -> None:
    """Count depth and values, an alias as all that its anchor holds."""
    import yaml

    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=_fastest_safe_loader()):
        line = None if event.start_mark is None else event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise YamlProblem(f"the alias '*{event.anchor}' stands inside its own anchor", line)
            total += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            total += 1
            open_nodes.append((event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = total - before + 1
        if len(open_nodes) > MAX_DEPTH:
            raise YamlProblem(f"it is nested more than {MAX_DEPTH} deep", line)
        if total > MAX_VALUES:
            raise YamlProblem(
                f"with its aliases written out it has more than {MAX_VALUES:,} values", line
            )


def _fastest_safe_loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # absent where libyaml is


def _unique_loader() -> Any:
    import yaml

    base = _fastest_safe_loader()

    class UniqueKeyLoader(base):  # type: ignore[misc, valid-type]
        """A safe loader that refuses a key that stands twice, where YAML's last one would win."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise YamlProblem(f"the key '{key.value[:80]}' stands there twice", line)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return UniqueKeyLoader
