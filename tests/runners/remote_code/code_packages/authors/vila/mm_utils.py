"""Prompts and pictures to tensors."""

import torch


def tokenizer_image_token(prompt, tokenizer, image_token_index, return_tensors):
    assert return_tensors == "pt"
    tokens = []
    for number, text in enumerate(prompt.split("<image>")):
        tokens += [image_token_index] if number else []
        tokens += tokenizer(text)["input_ids"]
    return torch.tensor(tokens)


def process_images(images, image_processor, model_cfg):
    return torch.stack(
        [image_processor(one, return_tensors="pt")["pixel_values"][0] for one in images]
    )
