"""Interface of DeepSeek's package deepseek_vl2, as its inference.py uses it."""

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
)

IMAGE = 0
"""The token that stands where an image's embedding comes."""


class Collated(dict):
    """Inputs by name and by attribute."""

    __getattr__ = dict.__getitem__

    def to(self, device, dtype=torch.bfloat16):
        self["images"] = self["images"].to(dtype)
        return Collated({name: value.to(device) for name, value in self.items()})


class DeepseekVLV2Processor:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    @classmethod
    def from_pretrained(cls, location, revision=None):
        return cls(AutoTokenizer.from_pretrained(location, revision=revision))

    def __call__(self, *, conversations, images, force_batchify, system_prompt):
        asked, answer = conversations
        assert (asked["role"], answer["role"]) == ("<|User|>", "<|Assistant|>")
        assert force_batchify and not system_prompt and not answer["content"]
        pieces = asked["content"].split("<image>")
        assert len(pieces) == len(images) + 1
        tokens = []
        for number, text in enumerate(pieces):
            tokens += [IMAGE] if number else []
            tokens += self.tokenizer(text)["input_ids"]
        ids = torch.tensor([tokens])
        colors = [list(image.resize((1, 1)).getpixel((0, 0))) for image in images]
        return Collated(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            images=torch.tensor(colors or [[0, 0, 0]]) / 255,
            images_seq_mask=ids == IMAGE,
        )


class DeepseekVLV2Config(PretrainedConfig):
    model_type = "deepseek_vl_v2"

    def __init__(self, vocab_size=400, **kwargs):
        self.vocab_size = vocab_size
        super().__init__(**kwargs)


class DeepseekVLV2ForCausalLM(PreTrainedModel):
    config_class = DeepseekVLV2Config

    def __init__(self, config):
        super().__init__(config)
        self.language = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=config.vocab_size,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=2,
                eos_token_id=1,
                pad_token_id=0,
            )
        )
        self.eye = torch.nn.Linear(3, 32)
        self.post_init()

    def prepare_inputs_embeds(self, input_ids, images, images_seq_mask, attention_mask):
        embedded = self.language.get_input_embeddings()(input_ids).clone()
        seen = self.eye(images)[: int(images_seq_mask.sum())]
        embedded[images_seq_mask] = seen
        return embedded


AutoConfig.register("deepseek_vl_v2", DeepseekVLV2Config, exist_ok=True)
AutoModelForCausalLM.register(DeepseekVLV2Config, DeepseekVLV2ForCausalLM, exist_ok=True)
