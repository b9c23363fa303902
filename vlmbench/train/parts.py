"""The parts of a vision-language model: what is trained, what stays frozen, where LoRA goes.

    parts = partition(model, family)                every parameter is in exactly one part
    train_only(model, parts, ["connector"])         or a LoRA adapter on `lora_targets(...)`,
    train_beside(model, parts, ["connector"])       and other parts in full beside it
    freeze_unreached(model, parts, ["connector"])   after the backward pass of a probe batch

Parts go by names, so they stay right when an adapter is added to the model. `step_check` sees
that the first steps change what is trained and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from vlmbench.errors import ModelError, UsageError, unknown_name
from vlmbench.models.families import ModelFamily, PartName, PartPrefixes

if TYPE_CHECKING:
    import torch

Part = PartName | Literal["other"]
PART_NAMES: tuple[PartName, ...] = get_args(PartName)

ADAPTER_PREFIX = "base_model.model."
"""What PEFT's wrapper puts before the names of the model's own parameters."""
LISTED = 6
"""Most names that an error message lists."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Which part of a model a parameter or module belongs to, by its name."""

    title: str
    """Of the family, for messages."""
    prefixes: Mapping[str, Part]

    def part_of(self, name: str) -> Part | None:
        """The part of a parameter or module; None for a module that holds several parts."""
        name = name.removeprefix(ADAPTER_PREFIX)
        while name:
            if name in self.prefixes:
                return self.prefixes[name]
            name = name.rpartition(".")[0]
        return None


@dataclass(frozen=True, slots=True)
class PartRow:
    """What a part holds; tied weights count once."""

    part: Part
    tensors: int
    parameters: int
    """Numbers in these tensors."""
    trained: int
    """Those of them that are trained."""


def partition(model: torch.nn.Module, family: ModelFamily) -> Parts:
    """The parts of a model, every parameter of which is in exactly one.

    Raises:
        ModelError: It is not known where the family keeps its parts, some parameters are in none,
            or a weight that two parts share would be in both.
    """
    title = family.title or f"a {type(model).__name__}"
    parts = Parts(title, _prefixes(model, family.parts) if family.parts is not None else {})
    first_names: dict[int, str] = {}
    unplaced = []
    for name, parameter in model.named_parameters(remove_duplicate=False):
        part = parts.part_of(name)
        first = first_names.setdefault(id(parameter), name)
        if part is None:
            unplaced.append(name)
        elif parts.part_of(first) not in (part, None):
            raise ModelError(
                f"The weight {name} of {title} is in its {part} part and, as {first}, in its "
                f"{parts.part_of(first)} part; correct its `parts` in "
                "vlmbench/models/families.yaml."
            )
    if unplaced:
        raise ModelError(
            f"Which part of {title} these belong to is not known: {_outline(unplaced)}; add their "
            "prefixes to its `parts` in vlmbench/models/families.yaml."
        )
    return parts


def describe(model: torch.nn.Module, parts: Parts) -> list[PartRow]:
    """A row for each part that the model has, with what is trained of it now."""
    held: dict[Part, list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        held.setdefault(_part(parts, name), []).append(parameter)
    return [
        PartRow(
            part,
            tensors=len(held[part]),
            parameters=sum(_numbers(one) for one in held[part]),
            trained=sum(_numbers(one) for one in held[part] if one.requires_grad),
        )
        for part in (*PART_NAMES, "other")
        if part in held
    ]


def train_only(model: torch.nn.Module, parts: Parts, chosen: Sequence[str]) -> None:
    """Trains the chosen parts in full, as float32 weights, and freezes all others.

    Raises:
        UsageError: There is no such part, or none was chosen.
        ModelError: A chosen part is empty or quantized.
    """
    names = checked_parts(chosen)
    model.requires_grad_(False)
    train_beside(model, parts, names)


def train_beside(model: torch.nn.Module, parts: Parts, chosen: Sequence[str]) -> None:
    """Trains the chosen parts in full, as float32 weights, beside what is trained already.

    Raises:
        UsageError: There is no such part, or none was chosen.
        ModelError: A chosen part is empty or quantized.
    """
    names = checked_parts(chosen)
    found = set()
    for name, parameter in model.named_parameters():
        part = _part(parts, name)
        if part not in names:
            continue
        if not parameter.is_floating_point():
            raise ModelError(
                f"The {part} part of {parts.title} is quantized ({name} is {parameter.dtype}), so "
                "it cannot be trained in full; train it by LoRA or load it unquantized."
            )
        found.add(part)
        # In half precision the optimizer's updates would be rounded away.
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)
    for part in names:
        if part not in found:
            raise ModelError(f"{parts.title} has no parameters in its {part} part to train.")


def lora_targets(
    model: torch.nn.Module,
    parts: Parts,
    chosen: Sequence[str],
    modules: Literal["all-linear"] | Sequence[str] = "all-linear",
) -> list[str]:
    """Full names of the modules inside the chosen parts that LoRA adapts, in the model's order.

    A bare suffix such as `q_proj` would reach the vision encoder in most families. Experts that
    are stacked in one parameter are no linear layers and get none. Call it before the adapter is
    added.

    Args:
        modules: `all-linear` for every linear layer but the output head, or names or suffixes of
            modules: linear layers, and embeddings or convolutions where they are named.

    Raises:
        UsageError: There is no such part, or no module of such a name in the chosen parts.
        ModelError: A chosen part has nothing that LoRA can adapt, or the named head is tied.
    """
    names = checked_parts(chosen)
    candidates = [
        (name, parts.part_of(name), module)
        for name, module in _adaptable(model)
        if parts.part_of(name) in names
    ]
    if modules == "all-linear":
        head = _head(model)
        found = [
            (name, part)
            for name, part, module in candidates
            if _is_linear(module) and module is not head
        ]
    else:
        found = [(name, part) for name, part, _ in candidates if _named(name, modules)]
        _check_suffixes(modules, [name for name, *_ in candidates], parts)
        _check_tied_head(model, [name for name, _ in found])
    for part in names:
        if all(one != part for _, one in found):
            raise ModelError(_nothing_to_adapt(model, parts, part, modules))
    return [name for name, _ in found]


def freeze_unreached(model: torch.nn.Module, parts: Parts, trained: Sequence[str]) -> list[str]:
    """Freezes trained tensors that a probe batch gave no gradient, and returns their names.

    Call it after the backward pass of a batch with images. LLaVA, for one, takes its features
    before the last layer of its vision encoder, which therefore never trains. Gradients are
    cleared.

    Raises:
        UsageError: There is no such part, or none was chosen.
        ModelError: A part that is to be trained got no gradient at all.
    """
    learned = trainable(model)
    reached = {parts.part_of(name) for name, one in learned.items() if has_gradient(one)}
    for part in checked_parts(trained):
        if part not in reached:
            raise ModelError(
                f"The {part} part of {parts.title} is to be trained, but a batch gave it no "
                "gradient; use rows with images, or train other parts."
            )
    unreached = [name for name, parameter in learned.items() if parameter.grad is None]
    for name in unreached:
        learned[name].requires_grad_(False)
    model.zero_grad(set_to_none=True)
    return unreached


def checked_parts(chosen: Sequence[str]) -> list[PartName]:
    """The chosen parts in their usual order.

    Raises:
        UsageError: There is no such part, or none was chosen.
    """
    if not chosen:
        raise UsageError(f"No part is chosen; choose some of {', '.join(PART_NAMES)}.")
    for name in chosen:
        if name not in PART_NAMES:
            next_step = f"choose some of {', '.join(PART_NAMES)}"
            raise UsageError(unknown_name("part", name, PART_NAMES, next_step=next_step))
    return [name for name in PART_NAMES if name in chosen]


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that are trained now, tied ones once, by name."""
    return {name: one for name, one in model.named_parameters() if one.requires_grad}


def has_gradient(parameter: torch.nn.Parameter) -> bool:
    """Whether it has a gradient that is not zero everywhere."""
    return parameter.grad is not None and bool(parameter.grad.any())


def _numbers(parameter: torch.nn.Parameter) -> int:
    """How many numbers a parameter stands for; bitsandbytes packs two of four bits in a byte."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else int(state.shape.numel())


def _prefixes(model: torch.nn.Module, known: PartPrefixes) -> dict[str, Part]:
    by_part: dict[Part, Sequence[str]] = {
        "vision": known.vision,
        "connector": known.connector,
        "language": known.language,
        "other": known.other,
    }
    prefixes = {prefix: part for part, names in by_part.items() for prefix in names}
    for name, module in model.named_modules():
        if type(module).__name__ in known.connector_classes:
            prefixes[name.removeprefix(ADAPTER_PREFIX)] = "connector"
    return prefixes


def _part(parts: Parts, name: str) -> Part:
    part = parts.part_of(name)
    if part is None:
        raise ModelError(f"Which part of {parts.title} {name} belongs to is not known.")
    return part


def _outline(names: Sequence[str]) -> str:
    """The names, shortened to the modules that hold them where they are many."""
    shown = list(names)
    if len(shown) > LISTED:
        shown = list(dict.fromkeys(".".join(name.split(".")[:2]) for name in names))
    more = f" and {len(shown) - LISTED} more" if len(shown) > LISTED else ""
    return f"{', '.join(shown[:LISTED])}{more}"


def _adaptable(model: torch.nn.Module) -> Iterable[tuple[str, torch.nn.Module]]:
    """Modules for which PEFT has a LoRA layer, and which are called where they are used."""
    import torch

    kinds = (torch.nn.Embedding, torch.nn.Conv2d, torch.nn.Conv3d)
    # Attention of torch reads the weights of its output layer without calling it.
    uncalled = {
        id(inner)
        for module in model.modules()
        if isinstance(module, torch.nn.MultiheadAttention)
        for inner in module.modules()
    }
    for name, module in model.named_modules():
        if (_is_linear(module) or isinstance(module, kinds)) and id(module) not in uncalled:
            yield name, module


def _is_linear(module: torch.nn.Module) -> bool:
    import torch
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, torch.nn.Linear | Conv1D)


def _named(name: str, modules: Sequence[str]) -> bool:
    name = name.removesuffix(".linear")  # Gemma 4 wraps the layers of its vision encoder
    return any(name == one or name.endswith(f".{one}") for one in modules)


def _head(model: Any) -> torch.nn.Module | None:
    head: torch.nn.Module | None = model.get_output_embeddings()
    return head


def _suffixes(names: Sequence[str]) -> list[str]:
    """How people name such modules: `q_proj`, or `mlp.0` where the last word is a number."""
    words = [name.removesuffix(".linear").split(".") for name in names]
    return sorted({".".join(w[-2:] if w[-1].isdigit() else w[-1:]) for w in words})


def _check_suffixes(modules: Sequence[str], names: Sequence[str], parts: Parts) -> None:
    last = _suffixes(names)
    for one in modules:
        if not any(_named(name, [one]) for name in names):
            kind = f"module of the chosen parts of {parts.title}"
            next_step = f"they have {', '.join(last)}" if last else "they have no linear layer"
            raise UsageError(unknown_name(kind, one, last, next_step=next_step))


def _check_tied_head(model: Any, found: Sequence[str]) -> None:
    head, embeddings = _head(model), model.get_input_embeddings()
    if head is None or head.weight is not embeddings.weight:
        return
    for name in found:
        if model.get_submodule(name) in (head, embeddings):
            raise ModelError(
                f"{name} is tied: input embeddings and output head are one weight, so a LoRA "
                "adapter on it could not be merged; leave it out of lora.modules."
            )


def _nothing_to_adapt(
    model: torch.nn.Module,
    parts: Parts,
    part: PartName,
    modules: Literal["all-linear"] | Sequence[str],
) -> str:
    linear = [name for name, _ in _adaptable(model) if parts.part_of(name) == part]
    if linear and modules != "all-linear":
        return (
            f"The {part} part of {parts.title} has no module that is called "
            f"{' or '.join(modules)}; its modules are {', '.join(_suffixes(linear))}: "
            "name some of them in lora.modules, or leave this part out of lora.parts."
        )
    own = [name for name, _ in model.named_parameters() if parts.part_of(name) == part]
    return (
        f"LoRA cannot adapt the {part} part of {parts.title}, which has no linear layer "
        f"(its weights are {_outline(own)}); train it in full instead."
    )
