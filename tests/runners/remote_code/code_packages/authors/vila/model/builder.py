"""The loader, and the model that it loads."""

import torch
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    SiglipImageProcessor,
)

from vila.constants import IMAGE_TOKEN_INDEX


class LlavaLlamaConfig(PretrainedConfig):
    model_type = "llava_llama"

    def __init__(self, vocab_size=400, **kwargs):
        self.vocab_size = vocab_size
        super().__init__(**kwargs)


class LlavaLlamaModel(PreTrainedModel):
    config_class = LlavaLlamaConfig

    def __init__(self, config):
        super().__init__(config)
        self.llm = LlamaForCausalLM(
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

    def generate(self, input_ids, images=None, **arguments):
        """Tokens after the prompt; its image tokens become the pictures' embeddings."""
        place = input_ids == IMAGE_TOKEN_INDEX
        embedded = self.llm.get_input_embeddings()(input_ids.clamp(min=0)).clone()
        if images is not None:
            embedded[place] = self.eye(images[0].mean(dim=(2, 3)))
        return self.llm.generate(inputs_embeds=embedded, **arguments)


def load_pretrained_model(model_path, model_name, device="cuda"):
    model = LlavaLlamaModel.from_pretrained(model_path).to(device)
    processor = SiglipImageProcessor(size={"height": 32, "width": 32})
    return AutoTokenizer.from_pretrained(model_path), model, processor, 4096
