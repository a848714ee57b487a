"""Fetch models from the Hugging Face Hub: ``hf://user/repo[@revision][/file]``."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasviz.errors import KerasvizError, ModelError, UsageError, first_line, near
from kerasviz.io.files import cache_folder
from kerasviz.zoo.beside import FILES as CONFIGURATION

PREFIX = "hf://"
#: Seconds to wait for the list of files.
TIMEOUT = 20.0
_ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+?))?(?:/(.+))?")
#: What makes a folder a Keras model: Keras 3 saves these with ``zipped=False``.
_KERAS_FOLDER = ("config.json", "metadata.json", "model.weights.h5")
#: The files of a SavedModel.
_SAVED_MODEL = ("saved_model.pb", "variables/*", "assets/*", "fingerprint.pb")


@dataclass(frozen=True)
class HubAddress:
    """Name a repository, a revision, and the file of a model ("" for the usual one)."""

    repository: str
    revision: str | None = None
    file: str = ""


def is_hub_address(source: str) -> bool:
    """Return whether a source begins with ``hf://``."""
    return source.startswith(PREFIX)


def parse_address(source: str) -> HubAddress:
    """Parse an address.

    >>> parse_address("hf://me/cats@v2/onnx/model.onnx")
    HubAddress(repository='me/cats', revision='v2', file='onnx/model.onnx')
    """
    match = _ADDRESS.fullmatch(source.rstrip("/"))
    if match is None or ".." in source.split("/"):
        raise UsageError(f"{source!r} is no address; expected hf://USER/REPOSITORY[/FILE.onnx]")
    return HubAddress(match[1], match[2], match[3] or "")


def fetched_from_hub(source: str) -> Path:
    """Fetch a model with its configuration and weights into the user cache; return its path.

    Unchanged files are not fetched again, and do without a connection. They are plain ones, because
    weights beside an ONNX file must be no links. ``HF_ENDPOINT`` and ``HF_TOKEN`` count. Raises
    :class:`ModelError`, and :class:`UsageError` for a file that the repository lacks.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise KerasvizError(f"{source} needs huggingface_hub; run: pip install 'kerasviz[hub]'")
    address = parse_address(source)
    name = address.repository.replace("/", "--")
    revision = f"@{address.revision.replace('/', '--')}" if address.revision else ""
    folder = cache_folder() / "hub" / f"{name}{revision}"
    try:
        commit, listed = _listed(address)
    except _failures() as error:  # perhaps it was fetched before
        files = [path for path in folder.rglob("*") if path.is_file()]
        listed = [path.relative_to(folder).as_posix() for path in files]
        if not listed:
            raise ModelError(f"{source} cannot be fetched: {first_line(error)}") from error
        return folder / _chosen(address, listed)
    model = _chosen(address, listed)
    _download(replace(address, revision=commit), folder, _needed(model, listed))
    return folder / model


def _listed(address: HubAddress) -> tuple[str | None, list[str]]:
    """Return the commit and the files of a repository."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    about = api.model_info(address.repository, revision=address.revision, timeout=TIMEOUT)
    return about.sha, [file.rfilename for file in about.siblings or ()]


def _failures() -> tuple[type[Exception], ...]:
    import httpx2
    from huggingface_hub.errors import HFValidationError

    return (OSError, httpx2.HTTPError, HFValidationError)


def _chosen(address: HubAddress, files: Sequence[str]) -> str:
    """Return the model of a repository: the one that is named, else the usual one."""
    if address.file:
        if address.file not in files and not any(f.startswith(f"{address.file}/") for f in files):
            raise UsageError(
                f"hf://{address.repository} has no {address.file}; near: "
                f"{near(address.file, [f for f in files if not f.startswith('.')])}"
            )
        return address.file
    models = [f for f in files if f.endswith((".onnx", ".keras"))]
    for usual in ("model.onnx", "onnx/model.onnx", "model.keras"):
        if usual in models:
            return usual
    if len(models) == 1:
        return models[0]
    if models:
        raise UsageError(
            f"hf://{address.repository} has several models; name one: "
            + ", ".join(f"hf://{address.repository}/{model}" for model in models[:4])
        )
    if all(name in files for name in _KERAS_FOLDER) or "saved_model.pb" in files:
        return "."
    raise UsageError(
        f"hf://{address.repository} holds no .onnx, .keras or SavedModel; near: "
        f"{near('model', files)}"
    )


def _needed(model: str, files: Sequence[str]) -> list[str]:
    """Return the files that a model needs: its weights beside it, and configurations."""
    folder = model.rpartition("/")[0]
    base = f"{folder}/" if folder else ""
    if model.endswith((".onnx", ".keras", ".h5", ".pb")):
        # Names of weights beside an ONNX file: model.onnx_data, model.onnx.data, model.onnx_data_1
        patterns = [model, f"{model}[._]data*", *(f"{base}{name}" for name in CONFIGURATION)]
    else:
        inside = "" if model == "." else f"{model}/"
        patterns = [f"{inside}{name}" for name in (*_KERAS_FOLDER, *_SAVED_MODEL, *CONFIGURATION)]
    patterns += CONFIGURATION
    return [file for file in files if any(fnmatch.fnmatchcase(file, p) for p in patterns)]


def _download(address: HubAddress, folder: Path, files: Sequence[str]) -> None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # the command line shows its own
    settings: dict[str, Any] = {"endpoint": os.environ.get("HF_ENDPOINT"), "local_dir": folder}
    try:
        for file in files:
            hf_hub_download(address.repository, file, revision=address.revision, **settings)
    except _failures() as error:
        raise ModelError(
            f"hf://{address.repository} cannot be fetched: {first_line(error)}"
        ) from error
