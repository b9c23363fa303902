"""How models that bring their own Python code are loaded and asked: a few lines each.

A recipe knows the interface of one family's code; `runner` knows the rest. All of them are
asked one request at a time, as their authors' code is. Where a prompt holds `<image>` marks, they
stand where the images do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.errors import DependencyError
from vlmbench.runners.decoding import decode_answer

if TYPE_CHECKING:
    import PIL.Image


@dataclass(frozen=True, slots=True)
class CodeInput:
    """One request, as recipes want it."""

    parts: tuple[str | PIL.Image.Image, ...]
    """Texts and images in order; the system prompt is part of the first text."""
    arguments: Mapping[str, Any]
    """Of transformers' generate: max_new_tokens, do_sample ..."""

    @property
    def images(self) -> list[PIL.Image.Image]:
        """The images in order."""
        return [part for part in self.parts if not isinstance(part, str)]

    @property
    def text(self) -> str:
        """The texts alone."""
        return "".join(part for part in self.parts if isinstance(part, str))

    def marked(self, mark: str = "<image>\n") -> str:
        """The text with a mark for each image, in its place."""
        return "".join(part if isinstance(part, str) else mark for part in self.parts)


@dataclass(frozen=True, slots=True)
class CodeOutput:
    """What a recipe gives back."""

    text: str
    output_tokens: int | None = None
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A model and its helpers, all made by the model's own code."""

    model: Any
    processor: Any
    """Or its tokenizer, where a recipe needs no more."""


@dataclass(frozen=True, slots=True)
class CodeSource:
    """Where a checkpoint and its code are."""

    location: str
    """Directory or Hub id."""
    revision: str | None
    """The commit of weights and code; None for a directory."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Of every `from_pretrained` that may run the code."""
        pinned = {"revision": self.revision, "code_revision": self.revision}
        return {
            "pretrained_model_name_or_path": self.location,
            "trust_remote_code": True,
            **(pinned if self.revision else {}),
        }


@dataclass(frozen=True, slots=True)
class CodeRecipe:
    """How one family is loaded and asked."""

    load: Callable[[CodeSource, Mapping[str, Any]], Code]
    """Given the source, and dtype and device map for the weights."""
    ask: Callable[[Code, CodeInput], CodeOutput]


def _load(model: str, processor: str | None) -> Callable[[CodeSource, Mapping[str, Any]], Code]:
    """A loader by the names of the Auto classes that the family's auto_map has."""

    def load(source: CodeSource, placed: Mapping[str, Any]) -> Code:
        import transformers

        helper = (
            getattr(transformers, processor).from_pretrained(**source.arguments)
            if processor
            else None
        )
        return Code(
            getattr(transformers, model).from_pretrained(**source.arguments, **placed), helper
        )

    return load


def _load_any(source: CodeSource, placed: Mapping[str, Any]) -> Code:
    """By the first Auto class that the checkpoint's own auto_map has."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(**source.arguments)
    mapped = getattr(config, "auto_map", {})
    known = ("AutoModelForImageTextToText", "AutoModelForCausalLM", "AutoModel")
    name = next((one for one in known if one in mapped), known[0])
    return _load(name, "AutoProcessor")(source, placed)


def _generated(code: Code, inputs: Any, question: CodeInput, **more: Any) -> CodeOutput:
    """Generate, and decode what follows the prompt."""
    tokenizer = getattr(code.processor, "tokenizer", code.processor)
    inputs = inputs.to(code.model.device)
    for name, value in inputs.items():
        if getattr(value, "is_floating_point", bool)():
            inputs[name] = value.to(code.model.dtype)
    output = code.model.generate(**inputs, **question.arguments, **more)
    length = inputs["input_ids"].shape[1]
    new = output[0, length:]
    return CodeOutput(decode_answer(tokenizer, new.tolist()), len(new), length)


def _generate_content(code: Code, question: CodeInput) -> CodeOutput:
    """Heron-NVILA-Lite: a flat list of images and strings in order, a string back."""
    import transformers

    make_settings: Any = transformers.GenerationConfig
    settings = make_settings(**question.arguments)
    return CodeOutput(code.model.generate_content(list(question.parts), generation_config=settings))


def _marked_text(code: Code, question: CodeInput) -> CodeOutput:
    """Heron-NVILA-Lite's -hf repositories: a template of plain strings, as on their card."""
    turn = [{"role": "user", "content": question.marked()}]
    prompt = code.processor.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    inputs = code.processor(text=prompt, images=question.images or None, return_tensors="pt")
    return _generated(code, inputs, question)


def _chat(code: Code, question: CodeInput) -> CodeOutput:
    """Sarashina2.2-Vision, and what else follows transformers: a template of parts."""
    content = [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
        for part in question.parts
    ]
    turn = [{"role": "user", "content": content}]
    prompt = code.processor.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    inputs = code.processor(text=[prompt], images=question.images or None, return_tensors="pt")
    return _generated(code, inputs, question)


def _sarashina2_vision(code: Code, question: CodeInput) -> CodeOutput:
    """Its template always writes one image block; there must be one for each image."""
    block, stop = "<|prefix|><|file|><|suffix|>", "\n###"
    turn = [{"role": "user", "content": question.text}]
    prompt = code.processor.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    prompt = prompt.replace(block, block * len(question.images), 1)
    inputs = code.processor(
        text=[prompt], images=question.images or None, padding=True, return_tensors="pt"
    )
    stops = code.processor.get_stopping_criteria([stop])
    answer = _generated(code, inputs, question, stopping_criteria=stops)
    return CodeOutput(answer.text.partition(stop)[0], answer.output_tokens, answer.prompt_tokens)


TILE, MOST_TILES = 448, 12
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def _internvl_chat(code: Code, question: CodeInput) -> CodeOutput:
    """InternVL3: tiles made here, `chat` of its own; the same tiling as its card's code."""
    import transformers

    tiles, counts = None, None
    if question.images:
        make_tiler: Any = transformers.GotOcr2ImageProcessor
        tiler = make_tiler(
            size={"height": TILE, "width": TILE},
            crop_to_patches=True,
            min_patches=1,
            max_patches=MOST_TILES,
            **IMAGENET,
        )
        each = [tiler(images=[image], return_tensors="pt") for image in question.images]
        counts = [len(one["pixel_values"]) for one in each]
        import torch

        tiles = torch.cat([one["pixel_values"] for one in each])
        tiles = tiles.to(code.model.device, code.model.dtype)
    text = code.model.chat(
        code.processor,
        tiles,
        question.marked(),
        dict(question.arguments),
        num_patches_list=counts,
    )
    return CodeOutput(text)


def _asagi(code: Code, question: CodeInput) -> CodeOutput:
    """The processor's pixels, but the tokenizer's tokens, as its authors' adapter does."""
    end = "### 応答:"
    prompt = (
        "以下は、タスクを説明する指示です。要求を適切に満たす応答を書きなさい。\n### 指示:\n"
        f"{'<image>' * len(question.images)}\n{question.text}\n{end}\n"
    )
    inputs = code.processor(text=prompt, images=question.images or None, return_tensors="pt")
    tokens = code.processor.tokenizer(prompt, return_tensors="pt")
    inputs["input_ids"], inputs["attention_mask"] = tokens["input_ids"], tokens["attention_mask"]
    inputs.pop("token_type_ids", None)
    return _generated(code, inputs, question)


def _load_deepseek_vl2(source: CodeSource, placed: Mapping[str, Any]) -> Code:
    package = _package("deepseek_vl2.models", "github.com/deepseek-ai/DeepSeek-VL2")
    code = _load("AutoModelForCausalLM", None)(source, placed)
    make = package.DeepseekVLV2Processor.from_pretrained
    return Code(code.model, make(source.location, revision=source.revision))


def _deepseek_vl2(code: Code, question: CodeInput) -> CodeOutput:
    """Images and text become embeddings, from which the language model inside goes on."""
    turns = [
        {"role": "<|User|>", "content": question.marked(), "images": question.images},
        {"role": "<|Assistant|>", "content": ""},
    ]
    inputs = code.processor(
        conversations=turns, images=question.images, force_batchify=True, system_prompt=""
    ).to(code.model.device, dtype=code.model.dtype)
    tokenizer = code.processor.tokenizer
    ends = {"pad_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id}
    output = code.model.language.generate(
        inputs_embeds=code.model.prepare_inputs_embeds(**inputs),
        attention_mask=inputs.attention_mask,
        **{**question.arguments, **ends},
    )
    return CodeOutput(decode_answer(tokenizer, output[0].tolist()), len(output[0]))


def _load_vila(source: CodeSource, placed: Mapping[str, Any]) -> Code:
    builder = _package("vila.model.builder", "github.com/llm-jp/llm-jp-VILA")
    path, name = source.location, Path(source.location).name
    if not Path(path).is_dir():  # its loader knows no revisions
        import huggingface_hub

        path = huggingface_hub.snapshot_download(path, revision=source.revision)
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer, model, images, _ = builder.load_pretrained_model(path, name, device=device)
    return Code(model, (tokenizer, images))


def _vila(code: Code, question: CodeInput) -> CodeOutput:
    """llm-jp-3-vila: prompt and pixels by the functions of its package."""
    tokenizer, image_processor = code.processor
    tools, talks = (
        importlib.import_module(f"vila.{name}") for name in ("mm_utils", "conversation")
    )
    mark = importlib.import_module("vila.constants").IMAGE_TOKEN_INDEX
    talk = talks.conv_templates["llmjp_v3"].copy()
    talk.append_message(talk.roles[0], question.marked())
    talk.append_message(talk.roles[1], None)
    tokens = tools.tokenizer_image_token(talk.get_prompt(), tokenizer, mark, return_tensors="pt")
    images = None
    if question.images:
        pixels = tools.process_images(question.images, image_processor, code.model.config)
        images = [pixels.to(code.model.device, dtype=code.model.dtype)]
    output = code.model.generate(
        tokens.unsqueeze(0).to(code.model.device), images=images, **question.arguments
    )
    return CodeOutput(decode_answer(tokenizer, output[0].tolist()), len(output[0]))


def _package(module: str, where: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DependencyError(
            f"This model needs the package '{module.partition('.')[0]}' of {where} ({error}); "
            "install it from there, in an environment of its own if it asks for older packages."
        ) from error


CODE_RECIPES: Mapping[str, CodeRecipe] = {
    "chat": CodeRecipe(_load_any, _chat),
    "generate_content": CodeRecipe(_load("AutoModel", None), _generate_content),
    "marked_text": CodeRecipe(_load("AutoModelForImageTextToText", "AutoProcessor"), _marked_text),
    "sarashina2_vision": CodeRecipe(
        _load("AutoModelForCausalLM", "AutoProcessor"), _sarashina2_vision
    ),
    "deepseek_vl2": CodeRecipe(_load_deepseek_vl2, _deepseek_vl2),
    "internvl_chat": CodeRecipe(_load("AutoModel", "AutoTokenizer"), _internvl_chat),
    "asagi": CodeRecipe(_load("AutoModel", "AutoProcessor"), _asagi),
    "vila": CodeRecipe(_load_vila, _vila),
}
"""By the names in families.yaml."""
