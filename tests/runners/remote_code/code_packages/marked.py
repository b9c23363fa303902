"""Model and processor classes of their own around LLaVA's, as `-hf` conversions with code have.

Copied beside a checkpoint's weights by the tests, and imported by transformers from there.
"""

from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
)


class MarkedConfig(LlavaConfig):
    model_type = "marked_llava"


class MarkedModel(LlavaForConditionalGeneration):
    config_class = MarkedConfig


class Contains(StoppingCriteria):
    def __init__(self, tokenizer, stops):
        self.tokenizer, self.stops = tokenizer, stops

    def __call__(self, input_ids, scores, **kwargs):
        text = self.tokenizer.decode(input_ids[0])
        return any(stop in text[-8:] for stop in self.stops)


class MarkedProcessor(LlavaProcessor):
    def get_stopping_criteria(self, stops):
        return StoppingCriteriaList([Contains(self.tokenizer, stops)])
