"""Interface of InternVL3's own repositories: `chat` with tiles and their number for each image.

Copied beside a checkpoint's weights by the tests, and imported by transformers from there.
"""

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PretrainedConfig, PreTrainedModel


class InternChatConfig(PretrainedConfig):
    model_type = "internvl_chat"

    def __init__(self, vocab_size=400, **kwargs):
        self.vocab_size = vocab_size
        super().__init__(**kwargs)


class InternChatModel(PreTrainedModel):
    config_class = InternChatConfig

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

    def chat(self, tokenizer, pixel_values, question, generation_config, num_patches_list=None):
        """The answer; every `<image>` in the question becomes its tiles."""
        counts = num_patches_list or []
        assert question.count("<image>") == len(counts)
        assert pixel_values is None or pixel_values.shape == (sum(counts), 3, 448, 448)
        tiles = iter(torch.split(pixel_values, counts) if counts else ())
        pieces = []
        for number, text in enumerate(question.split("<image>")):
            if number:
                pieces.append(self.eye(next(tiles).mean(dim=(2, 3))))
            tokens = tokenizer(text, return_tensors="pt")["input_ids"][0].long()
            pieces.append(self.llm.get_input_embeddings()(tokens))
        output = self.llm.generate(inputs_embeds=torch.cat(pieces)[None], **generation_config)
        return tokenizer.decode(output[0], skip_special_tokens=True)
