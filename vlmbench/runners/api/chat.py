"""A request as the body of a chat completion: texts, and images as data URLs, in their order."""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any

from vlmbench.models.endpoints import CallOptions
from vlmbench.raster import is_deep, open_raster
from vlmbench.records import Image, Part, Request, TextPart, stable_hash

if TYPE_CHECKING:
    import PIL.Image

MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
"""What every server takes; files of these formats are passed on untouched where they can be."""

JPEG_QUALITY = 95

_ORIENTATION = 0x0112
"""The EXIF tag; 1 is upright."""

_PNG_ORIENTATION = (b"eXIf", b"zTXt", b"iTXt", b"Raw profile type", b"rientation")
"""A PNG without any of these has no such tag."""


def chat_body(request: Request, model: str, options: CallOptions) -> dict[str, Any]:
    """The JSON body of `/chat/completions`.

    Raises:
        DataError: An image cannot be read.
    """
    messages: list[dict[str, Any]] = []
    system = request.system_after(options.system)
    if system is not None:
        messages.append({"role": "system", "content": system})
    content = [_content_part(part, options) for part in request.parts]
    messages.append({"role": "user", "content": content})
    body = {"model": model, "messages": messages, **_generation(request, options)}
    if options.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return {**body, **options.extra}


def _generation(request: Request, options: CallOptions) -> dict[str, Any]:
    asked = request.generation
    fields: dict[str, Any] = {
        options.token_field: asked.max_new_tokens,
        "temperature": asked.temperature,
    }
    if asked.temperature > 0:
        fields["top_p"] = asked.top_p
        # A seed of its own, as other runners do: equal questions need not get equal answers.
        fields["seed"] = int(stable_hash([asked.seed, request.sample_id]), 16) % 2**31
    if asked.stop:
        fields["stop"] = list(asked.stop)
    return {name: value for name, value in fields.items() if name not in options.omit}


def _content_part(part: Part, options: CallOptions) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": data_url(part.image, options)}}


def data_url(image: Image, options: CallOptions) -> str:
    """The image as a data URL, written anew only where the file would not be seen as it should.

    That is: too large for the options, another format, turned by an EXIF tag (which some servers
    pass over), with transparency (which some turn black), with more than 8 bits a gray pixel (which
    some turn white), or with broken metadata. A file without its end is decoded before it is sent:
    servers take half a picture and say nothing.

    Raises:
        DataError: It cannot be read.
    """
    import PIL.Image

    form, plain, fits = "", False, False
    try:
        with open_raster(image.data) as opened:
            form = opened.format or ""
            plain = form in MEDIA_TYPES and not _transparent(opened) and not is_deep(opened)
            plain = plain and (not _may_turn(form, image.data) or _upright(opened))
            size = _allowed_size(opened.size, options)
            fits = size == opened.size
    except Exception:  # Pillow raises nearly anything on broken files; decode says it in words,
        plain = False  # or finds pixels behind broken metadata
    if plain and fits:
        if not _has_its_end(form, image.data):
            image.decode()
        return _data_url(MEDIA_TYPES[form], image.data)
    decoded = image.decode()
    size = _allowed_size(decoded.size, options)
    if size != decoded.size:
        decoded = decoded.resize(size, PIL.Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if form == "JPEG":
        decoded.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:
        decoded.save(buffer, "PNG")
    return _data_url(MEDIA_TYPES["JPEG" if form == "JPEG" else "PNG"], buffer.getvalue())


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _has_its_end(form: str, data: bytes) -> bool:
    """Whether a file closes as its format says; one with something behind its end does not."""
    match form:
        case "PNG":
            return data.endswith(b"IEND\xaeB`\x82")
        case "JPEG":
            return data.endswith(b"\xff\xd9")
        case _:  # WebP
            return len(data) >= 8 + int.from_bytes(data[4:8], "little")


def _may_turn(form: str, data: bytes) -> bool:
    """Whether the file may hold an orientation; Pillow decodes all of a PNG to find out.

    A PNG has it in a chunk of its own, or in texts, which may be compressed.
    """
    return form != "PNG" or any(name in data for name in _PNG_ORIENTATION)


def _upright(opened: PIL.Image.Image) -> bool:
    return bool(opened.getexif().get(_ORIENTATION, 1) == 1)


def _transparent(opened: PIL.Image.Image) -> bool:
    return opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info


def _allowed_size(size: tuple[int, int], options: CallOptions) -> tuple[int, int]:
    """The largest size of the same shape that the options allow; never larger than it is."""
    width, height = size
    scale = 1.0
    if options.max_side is not None:
        scale = min(scale, options.max_side / max(width, height))
    if options.max_pixels is not None:
        scale = min(scale, math.sqrt(options.max_pixels / (width * height)))
    if scale == 1.0:
        return size
    return max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
