"""Interface of the package vila of llm-jp-3-vila, as its public reference adapter uses it."""

IMAGE_TOKEN_INDEX = -200
