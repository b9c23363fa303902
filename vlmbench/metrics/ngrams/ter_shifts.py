"""Edits with shifts: how many changes turn one word sequence into another when a phrase may move.

The search is the one of Tercom (Snover et al. 2006) as sacrebleu runs it: greedily, the move that
saves most edits is made, until none saves any. Its limits belong to the definition, because the
count of edits depends on them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

BEAM = 25
"""Cells on either side of the diagonal that the edit distance looks at."""
LONGEST_SHIFT = 10
"""Words that move together."""
FARTHEST_SHIFT = 50
"""Words between the places of a phrase in both sequences."""
MOST_CANDIDATES = 1000
"""Moves tried in all; when they run out, the last one found is not made."""
LONGEST_TEXT = 1000
"""Words of either sequence; beyond that no moves are looked for, as the search would take long."""

_UNREACHED = 1 << 40

_Operation: TypeAlias = int
_MATCH, _REPLACE, _DELETE, _INSERT = range(4)


@dataclass(frozen=True, slots=True)
class _Alignment:
    """Where the words of the reference stand in the answer, and which words of both are wrong."""

    position: Sequence[int]
    reference_wrong: Sequence[bool]
    answer_wrong: Sequence[bool]


@dataclass(frozen=True, order=True, slots=True)
class _Move:
    """A phrase put elsewhere; the greatest is the best, as Tercom ranks them."""

    saved: int
    length: int
    minus_start: int
    minus_target: int
    moved: str


def edits_with_shifts(answer: Sequence[Hashable], reference: Sequence[Hashable]) -> int:
    """Insertions, deletions, replacements and shifts that make the reference of the answer.

    Sequences of more than 1,000 words are compared without shifts and without the beam.
    """
    from rapidfuzz.distance import Levenshtein

    if not reference:
        return len(answer)
    if max(len(answer), len(reference)) > LONGEST_TEXT:
        return Levenshtein.distance(answer, reference)
    # As one character a word, sequences are cut, joined and compared by fast library code.
    letters: dict[Hashable, str] = {}
    for word in (*answer, *reference):
        letters.setdefault(word, chr(len(letters)))
    target = "".join(map(letters.__getitem__, reference))
    current = "".join(map(letters.__getitem__, answer))
    shifts = tried = 0
    while True:
        best, tried = _best_move(current, target, tried)
        if tried >= MOST_CANDIDATES or best is None or best.saved <= 0:
            return shifts + _distance(current, target)
        shifts += 1
        current = best.moved


def _best_move(answer: str, reference: str, tried: int) -> tuple[_Move | None, int]:
    """The move that saves most, and how many have been tried by now."""
    before, alignment = _align(answer, reference)
    best: _Move | None = None
    for start, place, length in _common_phrases(answer, reference):
        if not any(alignment.answer_wrong[start : start + length]):
            continue
        if not any(alignment.reference_wrong[place : place + length]):
            continue
        if start <= alignment.position[place] < start + length:
            continue
        for target in _targets(alignment.position, place, length):
            moved = _moved(answer, start, length, target)
            best = _better(best, before, reference, _Move(0, length, -start, -target, moved))
            tried += 1
        if tried >= MOST_CANDIDATES:
            break
    return best, tried


def _better(best: _Move | None, before: int, reference: str, move: _Move) -> _Move:
    """The better of the best move so far and this one, whose saving is not known yet."""
    from rapidfuzz.distance import Levenshtein

    distance = Levenshtein.distance(move.moved, reference)
    if best is not None:
        # Without the beam a distance is never longer: most moves are out at this point.
        hopeful = (before - distance, move.length, move.minus_start, move.minus_target, move.moved)
        if hopeful <= (best.saved, best.length, best.minus_start, best.minus_target, best.moved):
            return best
    if not _inside_beam(len(move.moved), len(reference), distance):
        distance = _align(move.moved, reference)[0]
    found = _Move(before - distance, move.length, move.minus_start, move.minus_target, move.moved)
    return found if best is None or found > best else best


def _common_phrases(answer: str, reference: str) -> Iterator[tuple[int, int, int]]:
    """(start in the answer, start in the reference, length) of all phrases in both."""
    places: Mapping[str, list[int]] = defaultdict(list)
    for place, word in enumerate(reference):
        places[word].append(place)
    for start, word in enumerate(answer):
        for place in places.get(word, ()):
            if abs(place - start) > FARTHEST_SHIFT:
                continue
            longest = min(LONGEST_SHIFT, len(answer) - start, len(reference) - place)
            for length in range(1, longest + 1):
                if answer[start + length - 1] != reference[place + length - 1]:
                    break
                yield start, place, length


def _targets(position: Sequence[int], place: int, length: int) -> Iterator[int]:
    """Where in the answer a phrase may go: behind what aligns with the words of its place."""
    previous = -1
    for index in range(place - 1, place + length):
        target = 0 if index == -1 else position[index] + 1
        if target != previous:
            previous = target
            yield target


def _moved(words: str, start: int, length: int, target: int) -> str:
    phrase, rest = words[start : start + length], words[:start] + words[start + length :]
    if target > start + length:
        target -= length
    # A target inside the phrase counts from its start: the phrase moves that far to the right.
    return rest[:target] + phrase + rest[target:]


def _distance(answer: str, reference: str) -> int:
    from rapidfuzz.distance import Levenshtein

    distance = Levenshtein.distance(answer, reference)
    if _inside_beam(len(answer), len(reference), distance):
        return distance
    return _align(answer, reference)[0]


def _inside_beam(answer: int, reference: int, distance: int) -> bool:
    """Whether a shortest path surely keeps to the beam, so that the beam changes nothing."""
    apart = abs(answer - reference)
    return (distance + apart) / 2 + apart < BEAM - 1


def _align(answer: str, reference: str) -> tuple[int, _Alignment]:
    """Edit distance inside the beam, and the alignment that a path of that length gives."""
    width, height = len(reference), len(answer)
    slope = width / height if height else 1.0
    beam = math.ceil(slope / 2 + BEAM) if slope / 2 > BEAM else BEAM
    costs = list(range(width + 1))
    rows: list[tuple[int, list[_Operation]]] = [(0, [_INSERT] * (width + 1))]
    left, costs_from = 0, 0
    for index, word in enumerate(answer, 1):
        diagonal = math.floor(index * slope)
        left = max(0, diagonal - beam)
        right = width + 1 if index == height else min(width + 1, diagonal + beam)
        costs, row = _next_row(costs, costs_from, word, reference, left, right)
        costs_from = left
        rows.append((left, row))
    return costs[width - costs_from], _alignment(rows, height, width)


def _next_row(
    above: list[int], above_from: int, word: str, reference: str, left: int, right: int
) -> tuple[list[int], list[_Operation]]:
    """Costs and operations of the cells `left` to `right` of a row, from those of the row above."""
    # One unreached cell before the row above and enough of them behind it.
    padded = [_UNREACHED] * (right + 1 - above_from)
    padded[1 : 1 + len(above)] = above
    costs: list[int] = []
    row: list[_Operation] = []
    before = _UNREACHED
    for column in range(left, right):
        place = column - above_from
        diagonal, up = padded[place], padded[place + 1]
        if column == 0:
            cost, operation = up + 1, _DELETE
        else:
            # Equal costs: a match or replacement first, then a deletion, then an insertion.
            operation = _MATCH if reference[column - 1] == word else _REPLACE
            cost = diagonal + operation
            if up + 1 < cost:
                cost, operation = up + 1, _DELETE
            if before + 1 < cost:
                cost, operation = before + 1, _INSERT
        costs.append(cost)
        row.append(operation)
        before = cost
    return costs, row


def _alignment(rows: Sequence[tuple[int, list[_Operation]]], height: int, width: int) -> _Alignment:
    """Walks the path back from the end."""
    position = [0] * width
    reference_wrong, answer_wrong = [True] * width, [True] * height
    while height or width:
        left, row = rows[height]
        operation = row[width - left]
        if operation == _DELETE:
            height -= 1
            continue
        width -= 1
        if operation == _INSERT:
            position[width] = height - 1
            continue
        height -= 1
        position[width] = height
        if operation == _MATCH:
            reference_wrong[width] = answer_wrong[height] = False
    return _Alignment(position, reference_wrong, answer_wrong)
