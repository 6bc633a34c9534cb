"""What a verb needs of a model: a family without it is refused, with the names of the families that have it."""

from __future__ import annotations

from collections.abc import Callable

from simulacra.data.dataset import Dataset
from simulacra.errors import CapabilityError
from simulacra.models import FAMILIES, Coded, Conditional, Generative, Inferential, Model, Translating
from simulacra.models.base import CodePrior, StandardNormalPrior

Ability = Callable[[type[Model]], bool]


def require_prior(model: Model, verb: str) -> Generative:
    """Return the model if it has a prior to draw latents from. Raises `CapabilityError`."""
    if not isinstance(model, Generative):
        hint = " Or fit one to its latents: simulacra fit-prior RUN" if isinstance(model, Inferential) else ""
        raise CapabilityError(f"{_lacking(model, verb, _has('prior'), 'a prior')}{hint if verb == 'sample' else ''}")
    return model


def require_encoder(model: Model, verb: str) -> Inferential:
    """Return the model if it has an encoder of all its latents. Raises `CapabilityError`."""
    if not isinstance(model, Inferential):
        raise _lacking(model, verb, _has("encode"), "an encoder")
    return model


def require_encoder_without_codes(model: Model, verb: str) -> Inferential:
    """Return the model if it has an encoder of latents that hold no named codes. Raises `CapabilityError`."""
    if isinstance(model, Inferential) and isinstance(model, Coded):
        raise CapabilityError(
            f"{verb} works on latents without named codes; {_name(model)} has named codes. Set them instead: "
            "simulacra sample RUN --code NAME=VALUE"
        )
    return require_encoder(model, verb)


def require_decoder(model: Model, verb: str) -> Generative | Inferential:
    """Return the model if it turns latents into images. Raises `CapabilityError`."""
    if not isinstance(model, Generative | Inferential):
        raise _lacking(model, verb, _has("decode"), "a decoder")
    return model


def require_latents(model: Model, verb: str) -> Generative | Inferential:
    """Return the model if it has a latent space. Raises `CapabilityError`."""
    if not isinstance(model, Generative | Inferential):
        raise _lacking(model, verb, _has("decode"), "a latent space")
    return model


def require_codes(model: Model, verb: str) -> Coded:
    """Return the model if its latents hold named codes. Raises `CapabilityError`."""
    if not isinstance(model, Coded):
        raise _lacking(model, verb, lambda family: issubclass(family, CodePrior), "a named code")
    return model


def require_label(model: Model, verb: str) -> Conditional:
    """Return the model if it draws images of a class that is asked for. Raises `CapabilityError`."""
    if not isinstance(model, Conditional):
        raise _lacking(model, verb, _has("conditioned"), "a label")
    return model


def require_translator(model: Model, verb: str, to: str | None = None) -> Translating:
    """Return the model if it translates images (to domain ``to``, "A" or "B"). Raises `CapabilityError`."""
    if not isinstance(model, Translating):
        raise _lacking(model, verb, _has("translate"), "a translator")
    if to is not None and to not in model.directions:
        raise CapabilityError(
            f"{_name(model)} translates to {', '.join(model.directions)} only, not to {to}. "
            "For the other direction train with --data.swap true, or train a cyclegan, which learns both."
        )
    return model


def require_class_images(model: Model, real: Dataset) -> None:
    """Refuse a model that cannot make images of the classes of ``real``. Raises `CapabilityError`.

    It must be conditional on the class, or have an encoder of all its latents, so that it can be asked for images like
    those of a class; where ``real`` has no classes, a prior will do.
    """
    if isinstance(model, Conditional) or (real.labels is None and isinstance(model, Generative)):
        return
    if not isinstance(model, Inferential) or isinstance(model, Coded):
        raise CapabilityError(
            "Labelled images need a class-conditional model, or one with an encoder of all its latents; "
            f"{_name(model)} is neither. Families: {_able(_makes_class_images)}."
        )


def has_standard_normal_prior(model: Model) -> bool:
    """Whether the model's own prior is N(0, I)."""
    return getattr(type(model), "prior", None) is StandardNormalPrior.prior


def _lacking(model: Model, verb: str, able: Ability, what: str) -> CapabilityError:
    return CapabilityError(f"{verb} needs {what}; {_name(model)} has none. Families with one: {_able(able)}.")


def _name(model: Model) -> str:
    return next((name for name, family in FAMILIES.items() if type(model) is family), type(model).__name__)


def _able(able: Ability) -> str:
    return ", ".join(name for name, family in FAMILIES.items() if able(family))


def _has(primitive: str) -> Ability:
    return lambda family: hasattr(family, primitive)


def _makes_class_images(family: type[Model]) -> bool:
    return hasattr(family, "conditioned") or (hasattr(family, "encode") and not issubclass(family, CodePrior))
