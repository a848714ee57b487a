"""``kerasviz verify``: make the pictures of a folder again and compare the bytes."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasviz.cli.options import IMPORTERS, ModelOptions, json_option, model_options
from kerasviz.cli.progress import import_tensorflow
from kerasviz.errors import UsageError

if TYPE_CHECKING:
    from kerasviz.network.network import Network
    from kerasviz.rendering.store import FileCheck


@click.command(
    "verify",
    epilog="""\b
Examples:
  kerasviz verify out/efficientnet-lite0
  kerasviz verify pictures --model model.onnx
  kerasviz verify out/demo --json
  kerasviz verify s3://bucket/atlas --sample 200
""",
)
@click.argument("folder", metavar="DIR")
@click.option("--model", help="The model file or name. [default: the one that DIR names]")
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(min=1),
    help="Make only N pictures again, in batches drawn at random; of the others only the checksums "
    "are compared.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw of --sample.")
@json_option
@model_options
@click.pass_context
def command(
    ctx: click.Context,
    folder: str,
    model: str | None,
    sample: int | None,
    seed: int,
    as_json: bool,
    model_options: ModelOptions,
) -> None:
    """Make every picture in DIR again and compare it with the file, byte by byte.

    DIR was made by `kerasviz render`, `kerasviz figures` or `kerasviz atlas`, and may be s3:// or
    gs://; the files of `kerasviz examples` are compared with their checksums, and so are sprites of
    layers, panels of examples, what was computed from photos that are not there any more, and what
    a Python function made, which data alone cannot make again.
    Nothing is written. Ends with 1 unless all files are the same.
    """
    with _here(folder) as place:
        results, notes = _verified(place, model, model_options, sample, seed)
    ctx.exit(_report(folder, results, notes, as_json))


@contextmanager
def _here(folder: str) -> Iterator[Path]:
    """Yield the folder with the manifest, fetched where it is remote."""
    from kerasviz.io.storage import local_folder
    from kerasviz.rendering.manifest import MANIFEST

    place = local_folder(folder)
    if place is None:
        from kerasviz.atlas.download import fetched

        with fetched(folder) as place:
            yield place
        return
    place = place if "://" in folder else Path(folder)  # relative, in what is said of it
    inner = place / "pictures"
    yield inner if not (place / MANIFEST).is_file() and (inner / MANIFEST).is_file() else place


def _verified(
    folder: Path, model: str | None, model_options: ModelOptions, sample: int | None, seed: int
) -> tuple[list[FileCheck], list[str]]:
    """Check each file; return the results and how environments differ."""
    from kerasviz.rendering.manifest import MANIFEST, read_manifest

    manifest = read_manifest(folder) if (folder / MANIFEST).is_file() else None
    if manifest is not None:
        take_threads(manifest["environments"].values())
    import_tensorflow()
    from kerasviz.examples.folder import MANIFEST as EXAMPLES
    from kerasviz.examples.folder import verify_examples

    if (folder / EXAMPLES).is_file():
        return verify_examples(folder), []
    from kerasviz.rendering.verify import VerifySample, verify

    if manifest is None:
        manifest = read_manifest(folder)  # says what is wrong
    model = model or model_of(folder, manifest)
    if model is None:
        raise UsageError(
            f"the model {manifest['network']['source']!r} that {str(folder)!r} was made with is "
            "not there; give --model FILE"
        )
    net = load_recorded(model, manifest["network"], model_options)

    from kerasviz.cli.progress import rendering

    with rendering() as progress:
        return verify(folder, net, progress, VerifySample(sample, seed) if sample else None)


def take_threads(environments: Iterable[Mapping[str, str]]) -> None:
    """Let TensorFlow start with the threads that all pictures were made with.

    Their number decides the last bits. It is not changed where environments differ, or where
    TensorFlow runs already.
    """
    recorded = {environment.get("threads", "") for environment in environments}
    known = len(recorded) == 1 and (threads := recorded.pop()).isdecimal()
    if known and "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)


def load_recorded(model: str, network: Mapping[str, Any], options: ModelOptions) -> Network:
    """Load the model of recorded pictures, read and fed as the record says."""
    from kerasviz.network.input_spec import InputSpec

    if network["format"] in IMPORTERS and options.importer is None:
        options = replace(options, importer=network["format"])
    if options.signature is None:
        options = replace(options, signature=network.get("signature"))
    return options.load(model, InputSpec.from_json(network["input"]))


def _report(folder: str, results: Sequence[FileCheck], notes: Sequence[str], as_json: bool) -> int:
    """Print the results; returns the exit code."""
    good = all(result.result in ("same", "kept", "by function", "unchanged") for result in results)
    if as_json:
        data = {
            "folder": folder,
            "same": good,
            "files": [asdict(result) for result in results],
            "environment": list(notes),
        }
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
    else:
        _print(results, notes)
    return 0 if good else 1


def model_of(folder: Path, manifest: dict[str, Any]) -> str | None:
    """Return the zoo name or the file that a manifest names, ``None`` where it is gone."""
    source = str(manifest["network"]["source"])
    if manifest["network"]["format"] == "zoo" or source.startswith("hf://"):
        return source
    if (folder / source).exists():
        return str(folder / source)
    # Without a folder or an ending it is a network that was fetched into the user's cache.
    return source if "/" not in source and "." not in source else None


def _print(results: Sequence[FileCheck], notes: Sequence[str]) -> None:
    counts = Counter(result.result for result in results)
    words = ", ".join(f"{counts[name]:,} {name}" for name in sorted(counts, key=_order))
    click.echo(f"{len(results):,} {'file' if len(results) == 1 else 'files'}: {words or 'none'}")
    for result in results:
        if result.result not in ("same", "unchanged"):
            click.echo(f"{result.file}: {result.result}: {result.detail}")
    for note in notes:
        click.echo(f"environment: {note}")


def _order(name: str) -> tuple[bool, str]:
    return name != "same", name
