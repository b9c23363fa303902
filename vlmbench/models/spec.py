"""What is known of a model before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from vlmbench.models.endpoints import OFFICIAL_URL


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything a runner needs to load a model; two equal fingerprints answer alike."""

    name: str
    """Display name, safe as a directory name."""
    runner: str
    location: str
    """Hub id, checkpoint directory as it was given, `embedded:NAME`, kind of baseline, or the
    name by which a server knows the model."""
    fingerprint: str
    """Hash of what decides the answers; a directory's name is not part of it."""
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    """cuda, mps, cpu or auto; not part of the fingerprint."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """For the runner, such as a chat template; JSON values."""
    answers: Mapping[str, str] | None = field(default=None, repr=False)
    """A baseline's for one task, by sample id; not part of the fingerprint."""

    @property
    def cacheable(self) -> bool:
        """Whether an answer of another day stands for what it would answer now.

        A baseline needs no cache, and a server that is not a known service may have been started
        again with another model under the same name.
        """
        at = self.options.get("base_url", OFFICIAL_URL)
        return self.runner != "baseline" and at == OFFICIAL_URL

    @property
    def loads_weights(self) -> bool:
        """Whether a process that runs it loads the model's weights."""
        return self.runner in ("hf", "remote_code")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a journal or a run record; a baseline's answers are not among them."""
        values = asdict(replace(self, answers=None))
        del values["answers"]
        return values
