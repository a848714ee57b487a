"""Build the networks of keras.applications with ImageNet weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kerasviz.errors import ModelError
from kerasviz.io.files import temporary_folder
from kerasviz.zoo.model_card import Card


def build_application(card: Card, weights: str | os.PathLike[str] | None = "imagenet") -> Any:
    """Build the network of a card whose builder is ``keras.applications.NAME``.

    ``weights`` is ``"imagenet"`` (Keras downloads them and checks their hash), a weight file, or
    ``None`` for random ones. The network takes images of any size where the architecture allows it,
    although Keras would fix the size. Raises :class:`ModelError` where the weights cannot be
    fetched or do not fit.
    """
    import keras

    name = card.builder.rpartition(".")[2]
    builder = getattr(keras.applications, name, None)
    if builder is None:
        raise ModelError(f"{card.name}: Keras {keras.__version__} has no keras.applications.{name}")
    height, width = (None, None) if card.free_size else card.input_size
    image = keras.Input((height, width, 3), name="image")
    try:
        return builder(weights=weights, input_tensor=image)
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{card.name}: these weights do not fit: {reason}") from error
    except Exception as error:
        # Keras raises a bare Exception for a failed download, with the reason in its text.
        if type(error) is not Exception:
            raise
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{card.name} cannot be fetched here ({reason}): bring that weight file, or the "
            f"{card.file_name} that another machine fetched, and run: "
            f"kerasviz models add {card.file_name} --name {card.name}"
        ) from error


def save_application(card: Card, target: Path, weights: str | Path = "imagenet") -> Path:
    """Build the network of a card and write it to ``target``, a ``.keras`` file, atomically."""
    model = build_application(card, weights)
    with temporary_folder(target.parent, target) as folder:
        model.save(folder / target.name)  # Keras requires its suffix
        os.replace(folder / target.name, target)
    return target
