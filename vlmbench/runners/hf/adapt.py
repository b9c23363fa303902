"""What options do to a model while it is loaded: attention, place, pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vlmbench.errors import UsageError
from vlmbench.models.families import ModelFamily, PixelBound
from vlmbench.models.resolve import ModelSpec

if TYPE_CHECKING:
    import torch


def attention(kind: ModelFamily, options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `from_pretrained`; parts that the family pins stay as they are."""
    chosen = options.get("attention")
    if not kind.attention:
        return {} if chosen is None else {"attn_implementation": chosen}
    parts = dict(kind.attention)
    default = parts.pop("default")
    return {"attn_implementation": {"": chosen or default, **parts}}


def placement(spec: ModelSpec, device: torch.device) -> dict[str, Any]:
    """Arguments of `from_pretrained` for weights that it must put in their place itself."""
    if "device_map" in spec.options:
        return {"device_map": spec.options["device_map"]}
    return {"device_map": {"": device}} if "quantization" in spec.options else {}


def bound_pixels(kind: ModelFamily, processor: Any, options: Mapping[str, Any]) -> None:
    """Let --min-pixels and --max-pixels reach the processor, as the family counts pixels.

    Raises:
        UsageError: The family has no such bound, or cannot keep to this one.
    """
    for option, bound in (("min_pixels", kind.pixels.min), ("max_pixels", kind.pixels.max)):
        wanted = options.get(option)
        if wanted is None:
            continue
        flag = f"--{option.replace('_', '-')}"
        if bound is None:
            raise UsageError(
                f"Models of the family {kind.title or 'of this checkpoint'} have no bound that "
                f"{flag} could set; leave it out."
            )
        try:
            if _look_up(processor, bound.attribute) is None:
                raise KeyError(bound.attribute)  # set, it would be passed over without a word
            value = _bound_value(bound, processor, wanted)
        except (AttributeError, KeyError, TypeError) as error:
            raise UsageError(
                f"This checkpoint's {type(processor).__name__} lacks what {flag} would set "
                f"({bound.attribute}); leave it out."
            ) from error
        if value is None:
            raise UsageError(
                f"{flag} {wanted} is less than models of the family {kind.title} can do; give a "
                "larger number of pixels."
            )
        _assign(processor, bound.attribute, value)
    _keep_order(kind, processor, options)


def bounds_in_force(kind: ModelFamily, processor: Any) -> list[Any]:
    """What the processor keeps images to, as the family counts it; None for what it has not."""
    found: list[Any] = []
    for bound in (kind.pixels.min, kind.pixels.max):
        try:
            found.append(None if bound is None else _look_up(processor, bound.attribute))
        except (AttributeError, KeyError, TypeError):
            found.append(None)
    return found


def _keep_order(kind: ModelFamily, processor: Any, options: Mapping[str, Any]) -> None:
    """Refuse a lower bound above the checkpoint's own upper one, which would win."""
    least, most = kind.pixels.min, kind.pixels.max
    if "min_pixels" not in options or least is None or most is None or most.measure != "area":
        return
    upper = _look_up(processor, most.attribute)
    if upper is not None and options["min_pixels"] > upper:
        raise UsageError(
            f"--min-pixels {options['min_pixels']} is more than the {upper} pixels that this "
            "checkpoint shrinks images to; give a larger --max-pixels too."
        )


def _bound_value(bound: PixelBound, processor: Any, pixels: int) -> int | None:
    """What to set for a bound of so many pixels; None if it cannot be as low."""
    if bound.measure == "area":
        return pixels
    if bound.measure == "side":
        step = 1 if bound.step is None else int(_look_up(processor, bound.step))
        return math.isqrt(pixels) // step * step or None
    if bound.measure == "tiles":
        size = _look_up(processor, bound.unit[0])
        return pixels // (size["height"] * size["width"]) or None
    side = math.prod(int(_look_up(processor, path)) for path in bound.unit)
    fitting = [choice for choice in bound.choices if choice * side**2 <= pixels]
    return max(fitting, default=None)


def _look_up(root: Any, path: str) -> Any:
    for name in path.split("."):
        root = getattr(root, name) if hasattr(root, name) else root[name]
    return root


def _assign(root: Any, path: str, value: Any) -> None:
    """Set an attribute; a size, which may be shared, is replaced by a changed copy."""
    parent, _, name = path.rpartition(".")
    owner = _look_up(root, parent)
    if hasattr(owner, "__setitem__"):
        _assign(root, parent, type(owner)(**{**dict(owner), name: value}))
    else:
        setattr(owner, name, value)
