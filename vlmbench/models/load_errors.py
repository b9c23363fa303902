"""Why a checkpoint, or an encoder of a metric, cannot be loaded, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vlmbench.errors import DependencyError, ModelError, VlmbenchError
from vlmbench.hub import why_not_loaded
from vlmbench.models.checkpoints import model_path
from vlmbench.models.resolve import ModelSpec

BAD_CHECKPOINT = (OSError, ValueError, KeyError, RuntimeError)
"""What transformers raises at files that are missing, broken or of another kind."""

LOCAL_MODEL = "pass the directory of a downloaded checkpoint, as in '--model ./dir'"


@contextmanager
def as_model_error(spec: ModelSpec) -> Iterator[None]:
    """Whatever loading raises, as one sentence.

    Raises:
        ModelError: The checkpoint is missing, incomplete or of no kind that transformers loads.
        DependencyError: It needs a package that is not installed.
    """
    try:
        yield
    except VlmbenchError:
        raise
    except ImportError as error:
        if _is_of_attention(spec, error):
            raise DependencyError(_no_such_attention(spec, error)) from error
        raise missing_package(f"model {spec.location}", error) from error
    except Exception as error:
        # Code that a checkpoint brings raises anything; from ours it would be a bug.
        if spec.runner != "remote_code" and not _is_of_files(error):
            raise
        raise ModelError(_why_not(spec, error)) from error


def missing_package(what: str, error: ImportError) -> DependencyError:
    """The error for something that needs a package that is not installed.

    Args:
        what: Such as "model org/name".
    """
    return DependencyError(
        f"The {what} needs a package that is not installed ({first_line(error)}); install it with "
        "pip."
    )


def needs_own_code(error: Exception) -> bool:
    """Whether transformers refused to run code that comes with a checkpoint."""
    return "trust_remote_code" in str(error) or "custom code" in str(error)


def first_line(error: Exception) -> str:
    """What another library's error says, short enough for a sentence."""
    text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text.strip().rstrip(".")[:200]


def _is_of_files(error: Exception) -> bool:
    # A download that broke off makes the reader of safetensors raise an exception of its own.
    return isinstance(error, BAD_CHECKPOINT) or type(error).__module__.startswith("safetensors")


def _is_of_attention(spec: ModelSpec, error: Exception) -> bool:
    return "attention" in spec.options and "attention" in str(error).lower()


def _no_such_attention(spec: ModelSpec, error: Exception) -> str:
    return (
        f"The model {spec.location} cannot be loaded with --attention {spec.options['attention']} "
        f"({first_line(error)}); leave that out, or use sdpa or eager."
    )


def _why_not(spec: ModelSpec, error: Exception) -> str:
    if spec.runner == "remote_code" and not isinstance(error, OSError):
        return (
            f"The code that {spec.location} brings failed ({type(error).__name__}: "
            f"{first_line(error)}); it may need other versions of packages, which its page names."
        )
    if needs_own_code(error):
        return (
            f"The model {spec.location} needs the Python code that comes with it, which "
            "--trust-remote-code would run on this machine with your rights; read that code and "
            "add the flag, or choose another model ('vlmbench models list')."
        )
    if _is_of_attention(spec, error):
        return _no_such_attention(spec, error)
    if "does not recognize this architecture" in str(error):
        import transformers

        return (
            f"The checkpoint {spec.location} is of a kind that transformers "
            f"{transformers.__version__} does not know; install a newer one with "
            "pip install --upgrade transformers, or choose another model."
        )
    if not model_path(spec.location).is_dir():
        return why_not_loaded(error, f"model '{spec.location}'", local=LOCAL_MODEL)
    return (
        f"The checkpoint {spec.location} cannot be loaded ({first_line(error)}); give a complete "
        "directory with configuration, weights, tokenizer and processor."
    )
