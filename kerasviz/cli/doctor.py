"""``kerasviz doctor``: what this installation has and whether it works."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from kerasviz.cli.completion import complete_models
from kerasviz.cli.models import show_facts
from kerasviz.cli.options import ModelOptions, json_option, model_options
from kerasviz.cli.progress import import_tensorflow


@click.command(
    "doctor",
    epilog="""\b
Examples:
  kerasviz doctor
  kerasviz doctor --all
  kerasviz doctor --json
  kerasviz doctor model.onnx
""",
)
@click.argument("model", required=False, shell_complete=complete_models)
@click.option(
    "--all", "everything", is_flag=True, help="Also every network whose precision was measured."
)
@json_option
@model_options
@click.pass_context
def command(
    ctx: click.Context,
    model: str | None,
    everything: bool,
    as_json: bool,
    model_options: ModelOptions,
) -> None:
    """Show versions, devices, ready networks and extras, and optimize one tiny picture.

    Ends with 1 if that picture does not come out. With MODEL, show what is known about its input
    and its classes instead, and where each fact is from.
    """
    if model is not None:
        show_facts(model, model_options, as_json)
        return
    import_tensorflow()
    from kerasviz.cli.models import state
    from kerasviz.cli.progress import working
    from kerasviz.io.files import cache_folder
    from kerasviz.optvis.environment import environment
    from kerasviz.optvis.optimization.precision import choices_here
    from kerasviz.zoo import cards

    with working("checking"):
        found: dict[str, Any] = {
            "environment": environment(),
            "devices": _devices(),
            "cache": str(cache_folder()),
            "ready": [card.name for card in cards().values() if state(card) == "ready"],
            "precision": choices_here(),
            "extras": extras(),
            "check": _check(),
        }
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        _print(found, everything)
    ctx.exit(0 if found["check"] == "ok" else 1)


def _print(found: dict[str, Any], everything: bool) -> None:
    from kerasviz.cli.taps import aligned

    rows = list(found["environment"].items())
    rows += [("found", device) for device in found["devices"]]
    rows.append(("cache", found["cache"]))
    rows.append(("networks", ", ".join(found["ready"]) or "none is ready"))
    rows += _precisions(found["precision"], everything)
    rows += _extras(found["extras"], everything)
    rows.append(("self check", found["check"]))
    for line in aligned(rows):
        click.echo(line)


def _precisions(choices: Sequence[dict[str, Any]], everything: bool) -> list[tuple[str, str]]:
    """Return a row for every measured network, or how many were measured."""
    if not everything:
        count = len(choices)
        networks = len({choice["network"] for choice in choices})
        words = f"measured {count} times, for {networks} network{'' if networks == 1 else 's'}"
        return [("precision", f"{words} (--all)")] if choices else []
    rows = []
    for choice in choices:
        taps = ", ".join(choice["taps"][:2]) + (", ..." if len(choice["taps"]) > 2 else "")
        words = f"{choice['precision']} for {choice['network']} to {taps}: {choice['why']}"
        rows.append(("precision", words))
    return rows


def _extras(extras: Mapping[str, Sequence[str]], everything: bool) -> list[tuple[str, str]]:
    """Return a row for every extra with what it misses, or one with the installed ones."""
    if not everything:
        there = [extra for extra, missing in extras.items() if not missing]
        others = [extra for extra, missing in extras.items() if missing]
        rows = [("extras", ", ".join(there) or "none is installed")]
        return rows + ([("without", f"{', '.join(others)} (--all)")] if others else [])
    rows = []
    for extra, missing in extras.items():
        words = f"without {', '.join(missing[:3])}" if missing else "installed"
        if len(missing) > 3:
            words += f" and {len(missing) - 3} more"
        rows.append((f"[{extra}]", words))
    return rows


def _devices() -> list[str]:
    """List the devices that TensorFlow uses, with their memory."""
    import tensorflow as tf

    found = []
    for device in tf.config.list_physical_devices():
        if device.device_type == "GPU":
            name = tf.config.experimental.get_device_details(device).get("device_name", "GPU")
            found.append(f"{device.device_type} {name}{_gpu_memory(device.name)}")
        elif device.device_type == "CPU":
            found.append(f"CPU with {os.cpu_count()} cores{_memory()}")
        else:
            found.append(device.device_type)
    return found


def _gpu_memory(name: str) -> str:
    """Return how much of a GPU's memory TensorFlow may use; initializes the device."""
    from tensorflow.python.client import device_lib

    number = name.rpartition(":")[2]
    for device in device_lib.list_local_devices():
        if device.name.endswith(f"GPU:{number}"):
            return f", {device.memory_limit / 2**30:.1f} GiB for TensorFlow"
    return ""


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return ""
    return f", {size / 2**30:.1f} GiB memory"


def extras() -> dict[str, list[str]]:
    """Return the extras of this package, each with its missing packages.

    >>> "dev" in extras()
    True
    """
    about = importlib.metadata.metadata("kerasviz")
    return {extra: _missing("kerasviz", extra) for extra in about.get_all("Provides-Extra") or []}


def _missing(package: str, extra: str) -> list[str]:
    """Return the requirements of an extra that are not installed, nested extras included."""
    lines = importlib.metadata.requires(package) or []
    missing = []
    for line in lines:
        match = re.match(r"([\w.-]+)\s*(?:\[([\w,-]+)\])?", line)
        if match is None or not re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", line):
            continue
        name = match[1]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        for further in (match[2] or "").split(","):
            missing += _missing(name, further) if further else []
    return missing


def _check() -> str:
    """Optimize two steps of a tiny Keras network; return ``ok`` or what is wrong."""
    import keras
    import numpy as np

    from kerasviz.errors import KerasvizError
    from kerasviz.importers.keras.file import program_of
    from kerasviz.network.input_spec import preset
    from kerasviz.network.network import Identity, Network
    from kerasviz.rendering.render import render

    start = keras.initializers.RandomNormal(seed=0)
    layers = [
        keras.layers.Input((None, None, 3)),
        keras.layers.Conv2D(4, 3, activation="relu", name="conv", kernel_initializer=start),
    ]
    identity = Identity("check", "check", "keras", "0" * 64)
    try:
        net = Network(program_of(keras.Sequential(layers)), identity, input_spec=preset("unit"))
        made = render(net, "conv:0", steps=2, size=32, progress=False)
    except KerasvizError as error:
        return str(error)
    good = np.isfinite(made.images).all() and made.images.std() > 0
    return "ok" if good else "the picture is empty"
