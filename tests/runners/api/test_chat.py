"""Requests as chat completions; the fields are those of OpenAI's reference."""

from __future__ import annotations

import base64
import io
from typing import Any

import PIL.Image
import PIL.PngImagePlugin
import pytest
from made_tasks import picture

from vlmbench.errors import DataError
from vlmbench.models.endpoints import CallOptions
from vlmbench.records import Generation, Image, ImagePart, Request, TextPart
from vlmbench.runners.api.chat import chat_body, data_url

RED = Image(picture("赤"))


def request(*parts: Any, system: str | None = None, **generation: Any) -> Request:
    made = tuple(TextPart(p) if isinstance(p, str) else ImagePart(p) for p in parts)
    return Request("q1", made, Generation(**generation), system)


def encoded(size: tuple[int, int], form: str, mode: str = "RGB", **options: Any) -> Image:
    buffer = io.BytesIO()
    PIL.Image.new(mode, size, 128 if mode == "L" else (200, 30, 30, 0)[: len(mode)]).save(
        buffer, form, **options
    )
    return Image(buffer.getvalue())


def opened(url: str) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def test_parts_keep_their_order() -> None:
    body = chat_body(request("前", RED, "後", system="短く"), "m", CallOptions())
    assert body["messages"] == [
        {"role": "system", "content": "短く"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "前"},
                {"type": "image_url", "image_url": {"url": data_url(RED, CallOptions())}},
                {"type": "text", "text": "後"},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("generation", "options", "fields"),
    [
        ({}, {}, {"max_tokens": 64, "temperature": 0.0}),
        (
            {"max_new_tokens": 5, "stop": ("\n",)},
            {"token_field": "max_completion_tokens"},
            {"max_completion_tokens": 5, "temperature": 0.0, "stop": ["\n"]},
        ),
        ({}, {"omit": ("temperature",)}, {"max_tokens": 64}),
        (
            {"temperature": 0.7, "top_p": 0.9},
            {"omit": ("seed",)},
            {"max_tokens": 64, "temperature": 0.7, "top_p": 0.9},
        ),
        (
            {},
            {"stream": True, "extra": {"reasoning_effort": "low"}},
            {
                "max_tokens": 64,
                "temperature": 0.0,
                "stream": True,
                "stream_options": {"include_usage": True},
                "reasoning_effort": "low",
            },
        ),
    ],
)
def test_fields(
    generation: dict[str, Any], options: dict[str, Any], fields: dict[str, Any]
) -> None:
    body = chat_body(request("問", **generation), "m", CallOptions(**options))
    assert {key: one for key, one in body.items() if key != "messages"} == {"model": "m", **fields}


def test_samples_of_a_run_have_different_seeds() -> None:
    one = request("問", temperature=1.0)
    other = Request("q2", one.parts, one.generation)
    seeds = [chat_body(each, "m", CallOptions())["seed"] for each in (one, other, one)]
    assert seeds[0] == seeds[2] != seeds[1]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_files_are_passed_on_untouched(form: str) -> None:
    image = encoded((40, 30), form)
    url = data_url(image, CallOptions(max_side=40, max_pixels=1200))
    assert url == f"data:image/{form.lower()};base64,{base64.b64encode(image.data).decode()}"


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"max_side": 100}, (100, 50)),
        ({"max_pixels": 5000}, (100, 50)),
        ({"max_side": 50, "max_pixels": 5000}, (50, 25)),
        ({"max_side": 1}, (1, 1)),
    ],
)
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_large_images_become_smaller(
    options: dict[str, Any], size: tuple[int, int], form: str
) -> None:
    shown = opened(data_url(encoded((400, 200), form), CallOptions(**options)))
    assert (shown.size, shown.format) == (size, form)


def test_what_servers_read_differently_is_written_anew() -> None:
    turned = PIL.Image.Exif()
    turned[0x0112] = 6  # the camera was held upright: 90 degrees to the right
    shown = opened(data_url(encoded((40, 30), "JPEG", exif=turned), CallOptions()))
    assert shown.size == (30, 40)
    clear = opened(data_url(encoded((40, 30), "PNG", "RGBA"), CallOptions()))
    assert (clear.mode, clear.getpixel((0, 0))) == ("RGB", (255, 255, 255))
    assert opened(data_url(encoded((40, 30), "GIF", "L"), CallOptions())).format == "PNG"


def in_text(name: str, text: str, *, compressed: bool) -> PIL.PngImagePlugin.PngInfo:
    info = PIL.PngImagePlugin.PngInfo()
    if name.startswith("XML"):
        info.add_itxt(name, text, zip=compressed)
    else:
        info.add_text(name, text, zip=compressed)
    return info


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("place", ["chunk", "xmp", "profile"])
def test_a_turned_png_is_seen_wherever_it_says_so(place: str, compressed: bool) -> None:
    turned = PIL.Image.Exif()
    turned[0x0112] = 6
    data = turned.tobytes()
    profile = f"\nexif\n{len(data):8}\n{data.hex()}\n"  # as ImageMagick writes it
    options: dict[str, Any] = {
        "chunk": {"exif": turned},
        "xmp": {
            "pnginfo": in_text(
                "XML:com.adobe.xmp",
                '<x tiff:Orientation="6"/>',
                compressed=compressed,
            )
        },
        "profile": {"pnginfo": in_text("Raw profile type exif", profile, compressed=compressed)},
    }[place]
    shown = opened(data_url(encoded((40, 30), "PNG", **options), CallOptions()))
    assert shown.size == (30, 40)


def test_a_broken_image_is_an_error() -> None:
    with pytest.raises(DataError, match="row 3 cannot be read"):
        data_url(Image(b"no image", source="row 3"), CallOptions())


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_half_a_picture_is_sent_to_nobody(form: str) -> None:
    """Servers may take it, and answer about half a picture."""
    buffer = io.BytesIO()
    PIL.Image.effect_noise((64, 48), 50).convert("RGB").save(buffer, form)
    data = buffer.getvalue()
    options = CallOptions.model_validate({})
    with pytest.raises(DataError, match="image in p cannot be read"):
        data_url(Image(data[: len(data) // 2], "p"), options)
    sent = data_url(Image(data + b"\0\n", "p"), options)  # with something behind its end
    assert base64.b64decode(sent.partition(",")[2]) == data + b"\0\n"
