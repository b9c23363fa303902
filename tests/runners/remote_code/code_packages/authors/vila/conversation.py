"""Templates of conversations."""

import copy


class Conversation:
    roles = ("USER", "ASSISTANT")

    def __init__(self):
        self.turns = []

    def copy(self):
        return copy.deepcopy(self)

    def append_message(self, role, message):
        self.turns.append((role, message))

    def get_prompt(self):
        return "".join(f"{role}: {message or ''}" for role, message in self.turns)


conv_templates = {"llmjp_v3": Conversation()}
