"""Why a checkpoint, or an encoder of a metric, cannot be loaded, in one sentence."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import vlmbench
from vlmbench.errors import DependencyError, ModelError, VlmbenchError
from vlmbench.hub import why_not_loaded
from vlmbench.models.checkpoints import model_path
from vlmbench.models.resolve import ModelSpec

BAD_CHECKPOINT = (OSError, ValueError, KeyError, RuntimeError)
"""What transformers raises at files that are missing, broken or of another kind."""

_PACKAGE = Path(vlmbench.__file__).parent

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
    except BaseException as error:
        # The panic of a library in Rust, such as tokenizers, is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if spec.runner != "remote_code" and _is_bug(error):
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


def needs_own_code(error: BaseException) -> bool:
    """Whether transformers refused to run code that comes with a checkpoint."""
    return "trust_remote_code" in str(error) or "custom code" in str(error)


def first_line(error: BaseException) -> str:
    """What another library's error says, short enough for a sentence."""
    text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text.strip().rstrip(".")[:200]


def _is_bug(error: BaseException) -> bool:
    """Whether our own lines raised it; libraries raise anything at what a checkpoint's files say.

    A size that is a text is a TypeError to them, no heads are a division by zero, a dtype of an
    unknown name is an AttributeError of torch.
    """
    if isinstance(error, BAD_CHECKPOINT):
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and Path(frames[-1].f_code.co_filename).is_relative_to(_PACKAGE)


def _is_of_attention(spec: ModelSpec, error: BaseException) -> bool:
    return "attention" in spec.options and "attention" in str(error).lower()


def _no_such_attention(spec: ModelSpec, error: BaseException) -> str:
    return (
        f"The model {spec.location} cannot be loaded with --attention {spec.options['attention']} "
        f"({first_line(error)}); leave that out, or use sdpa or eager."
    )


def _why_not(spec: ModelSpec, error: BaseException) -> str:
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
    if type(error).__name__ == "UnpicklingError":
        return (
            f"The weights of {spec.location} are a pickle that is damaged or holds more than "
            "weights, such as code, and nothing of it was run; give a checkpoint with "
            "*.safetensors files."
        )
    if not model_path(spec.location).is_dir():
        return why_not_loaded(error, f"model '{spec.location}'", local=LOCAL_MODEL)
    reason = first_line(error)
    named = isinstance(error, BAD_CHECKPOINT) or type(error).__name__ == "SafetensorError"
    if not named:
        reason = f"{type(error).__name__}: {reason}"
    return (
        f"The checkpoint {spec.location} cannot be loaded ({reason}); give a complete "
        "directory with configuration, weights, tokenizer and processor."
    )
