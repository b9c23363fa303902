"""The Hugging Face Hub: found out quickly when it cannot be reached, and said in one sentence."""

from __future__ import annotations

import os
import re
import socket
import sys
from functools import cache
from urllib.parse import urlsplit

PROBE_SECONDS = 3.0
"""How long a first connection may take before the Hub counts as unreachable."""


_OURS = "yes"
"""What we set HF_HUB_OFFLINE to, so that a process started by us knows it from the user's "1"."""


@cache
def go_offline_if_unreachable() -> bool:
    """Make the Hub's client work from its cache alone when there is no connection.

    Without this the client retries for minutes before it says so. Call it before the first
    import of transformers or datasets.

    Returns:
        Whether the Hub can be reached, as far as one connection tells.
    """
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "5")
    if _offline_value().upper() in ("1", "ON", "YES", "TRUE"):
        return False
    if _connects():
        return True
    os.environ["HF_HUB_OFFLINE"] = _OURS
    # The client reads the variable once, when it is imported, which a trainer may have done.
    for module in ("huggingface_hub.constants", "datasets.config"):
        if module in sys.modules:
            sys.modules[module].__dict__["HF_HUB_OFFLINE"] = True
    return False


def is_told_offline() -> bool:
    """Whether the user's environment forbids to ask the Hub."""
    return not go_offline_if_unreachable() and _offline_value() != _OURS


def _offline_value() -> str:
    return os.environ.get("HF_HUB_OFFLINE", "")


def dataset_commit(name: str, revision: str | None = None) -> str | None:
    """The commit that a revision of a data set is now, the newest by default.

    Returns:
        None if the Hub cannot be reached, or does not say.
    """
    if revision is not None and re.fullmatch("[0-9a-f]{40}", revision):
        return revision
    if not go_offline_if_unreachable():
        return None
    import huggingface_hub

    try:
        return huggingface_hub.HfApi().dataset_info(name, revision=revision).sha
    except Exception:  # the client's own, httpx's and plain OSErrors; whoever loads it says why
        return None


def why_not_loaded(error: BaseException, what: str, *, local: str) -> str:
    """The sentence for something of the Hub that could not be loaded.

    Args:
        what: Such as "model 'org/name'".
        local: How to go on without the Hub, as an imperative.
    """
    names = {cls.__name__ for one in _chain(error) for cls in type(one).__mro__}
    if "GatedRepoError" in names:
        return (
            f"The {what} is gated; accept its licence on the Hub and log in with 'hf auth login'."
        )
    if not go_offline_if_unreachable():
        if is_told_offline():
            return (
                "The Hugging Face Hub can't be reached (HF_HUB_OFFLINE is set), so "
                f"{what} cannot be loaded; {local}."
            )
        return f"The Hugging Face Hub can't be reached, so {what} cannot be loaded; {local}."
    if "RevisionNotFoundError" in names:
        return f"The {what} has no such revision on the Hub; check 'revision'."
    if "RepositoryNotFoundError" in names or "DatasetNotFoundError" in names:
        return f"The Hub has no {what} that you may read; check its name."
    reason = " ".join(str(error).split())[:200].rstrip(".")
    return f"Loading {what} failed ({type(error).__name__}: {reason}); try again, or {local}."


def _connects() -> bool:
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        return True  # a proxy resolves and connects for us; its own time-outs must do
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
    try:
        with socket.create_connection((endpoint.hostname or "", port), timeout=PROBE_SECONDS):
            return True
    except OSError:
        return False


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
