"""Requests for tests of executors and caches."""

from __future__ import annotations

from made_tasks import COLORS, picture

from vlmbench.records import Generation, Image, ImagePart, Request, TextPart


def request_for(number: int, length: int = 1, *, new_tokens: int = 64) -> Request:
    """A request of so many characters without an image."""
    generation = Generation(max_new_tokens=new_tokens)
    return Request(f"q{number}", (TextPart("字" * length),), generation)


def color_requests(count: int, *, new_tokens: int = 6) -> list[Request]:
    """Requests with one image each, of different sizes and texts of different lengths."""
    names = list(COLORS)
    return [
        Request(
            f"q{number:03}",
            (
                ImagePart(
                    Image(picture(names[number % 4], size=(24 + 8 * (number % 5), 32 + number % 7)))
                ),
                TextPart("何色ですか。" * (1 + number % 3)),
            ),
            Generation(max_new_tokens=new_tokens),
        )
        for number in range(count)
    ]
