"""Interface of Heron-NVILA-Lite's original repositories: `generate_content` of a flat list.

Copied beside a checkpoint's weights by the tests, and imported by transformers from there.
"""

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PretrainedConfig, PreTrainedModel


class NvilaConfig(PretrainedConfig):
    model_type = "vila"

    def __init__(self, width=32, **kwargs):
        self.width = width
        super().__init__(**kwargs)


class NvilaModel(PreTrainedModel):
    config_class = NvilaConfig

    def __init__(self, config):
        super().__init__(config)
        self.llm = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=258,
                hidden_size=config.width,
                intermediate_size=2 * config.width,
                num_hidden_layers=2,
                num_attention_heads=2,
                eos_token_id=257,
                pad_token_id=256,
            )
        )
        self.eye = torch.nn.Linear(3, config.width)
        self.post_init()

    def generate_content(self, prompt, generation_config):
        """A string for a list of pictures and strings."""
        pieces = [self._embedded(part) for part in prompt]
        output = self.llm.generate(
            inputs_embeds=torch.cat(pieces)[None], generation_config=generation_config
        )
        return bytes(token for token in output[0].tolist() if token < 256).decode("latin-1")

    def _embedded(self, part):
        if isinstance(part, str):
            return self.llm.get_input_embeddings()(torch.tensor(list(part.encode())))
        color = torch.tensor(list(part.resize((1, 1)).getdata()), dtype=self.dtype)
        return self.eye(color / 255)
