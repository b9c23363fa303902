"""Generated pictures as an entry of a recipe's `data`."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from vlmbench.errors import unknown_name
from vlmbench.schema import Strict
from vlmbench.train.synthetic.split import FAMILIES, FamilyName


class SyntheticSpec(Strict):
    """What is drawn, out of the training split of the embedded suite's basic level."""

    mixture: dict[FamilyName, NonNegativeFloat] = Field(min_length=1)
    """How often each family of pictures is drawn, relative to the others."""
    kinds: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    """How often a kind of question is drawn within its family; 1 if not named."""
    questions: PositiveInt = 5
    """Most questions on a picture, which share the cost of looking at it."""

    @model_validator(mode="after")
    def _drawable(self) -> SyntheticSpec:
        drawn = {family for family, weight in self.mixture.items() if weight > 0}
        if not drawn:
            raise ValueError("the mixture needs a family whose weight is above 0")
        known = {kind for family in self.mixture for kind in FAMILIES[family][1]}
        for kind in self.kinds:
            if kind not in known:
                next_step = f"the kinds of this mixture are {', '.join(sorted(known))}"
                raise ValueError(unknown_name("kind", kind, known, next_step=next_step))
        for family in sorted(drawn):
            if not any(self.kinds.get(kind, 1) for kind in FAMILIES[family][1]):
                raise ValueError(f"every kind of the family '{family}' has the weight 0")
        return self


class SyntheticSource(Strict):
    """Pictures without end, with questions on them."""

    synthetic: SyntheticSpec
    name: str | None = None
    """Stands before the families' names in messages and losses."""
    weight: PositiveFloat = 1.0
    """How often an update learns from it, relative to the other sources."""
