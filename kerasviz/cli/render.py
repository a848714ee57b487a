"""``kerasviz render``: pictures of what units look for, in a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from kerasviz.cli.completion import complete_models, complete_taps
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    RecipeOptions,
    data_option,
    input_options,
    json_option,
    model_options,
    recipe_options,
    seed_option,
    steps_of,
    with_data,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network
from kerasviz.cli.typed import command_line
from kerasviz.cli.verify import load_recorded, model_of, take_threads
from kerasviz.errors import UsageError
from kerasviz.io.images import decode
from kerasviz.optvis.objectives.targets import GRAMMAR

if TYPE_CHECKING:
    from kerasviz.rendering.batching import Batch
    from kerasviz.rendering.request import Request
    from kerasviz.rendering.store import Store

#: Standard deviation of a picture's numbers (0 to 1) below which it is one grey.
FLAT = 0.01
#: What may be given beside ``--again``.
WITH_AGAIN = (
    *("again", "model", "out", "data", "as_json", "imports", "unsafe", "importer"),
    "signature",
)


@dataclass(frozen=True)
class RenderArguments:
    """Hold the arguments of ``kerasviz render``, without recipe and model options."""

    seed: int
    snapshots: tuple[int, ...] | None
    batch: int | None
    diversity: int | None
    negative: bool


@click.command(
    "render",
    epilog="\b\nTargets:\n"
    + indent(GRAMMAR, "  ")
    + """
\b
Examples:
  kerasviz render efficientnet-lite0 block3b:7
  kerasviz render efficientnet-lite0 block3b:0-15 logit:goldfish --size 96x128
  kerasviz render efficientnet-lite0 "block3b:1 + block5a:2" --steps 512 --seed 3
  kerasviz render efficientnet-lite0 block5a:4 --diversity 4
  kerasviz render efficientnet-lite0 block5a:4 --snapshots 0,4,48
  kerasviz render model.onnx conv5:3 --preprocess torchvision --out pictures
  kerasviz render --again pictures/conv5-3.png --out again

The same command again renders only what is missing, also after Ctrl-C.
""",
)
@click.argument("model", required=False, shell_complete=complete_models)
@click.argument("targets", metavar="TARGET...", nargs=-1, shell_complete=complete_taps)
@click.option(
    "--again",
    type=click.Path(path_type=Path),
    metavar="PICTURE.png",
    help="Render the picture of this file again, as it records. [default of --out: its folder]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the pictures. [default: out/NAME OF THE MODEL]",
)
@recipe_options("fast")
@seed_option
@click.option(
    "--snapshots",
    type=steps_of,
    metavar="N,N,...",
    help="Keep the picture after these steps too; 0 is noise.",
)
@click.option(
    "--diversity",
    type=click.IntRange(min=2),
    metavar="N",
    help="N pictures of each target that are pushed apart.",
)
@click.option("--negative", is_flag=True, help="What the targets respond to least.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    metavar="N",
    help="Pictures that are optimized at once. [default: the batch that the network requires, "
    "else chosen by number and size]",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(("png", "jpg", "webp")),
    default="png",
    show_default=True,
    help="File format; png carries its provenance.",
)
@data_option
@json_option
@input_options
@model_options
def command(
    model: str | None,
    targets: tuple[str, ...],
    again: Path | None,
    out: Path | None,
    data: Path | None,
    file_format: str,
    as_json: bool,
    recipe_options: RecipeOptions,
    input_options: InputOptions,
    model_options: ModelOptions,
    **asked: Any,
) -> None:
    """Render what the TARGETs in MODEL look for into a folder with a page to look at.

    MODEL is a file or a name of `kerasviz models list`; TARGETs are units, layers and classes
    (`kerasviz taps MODEL` lists the names).
    """
    if again is not None:
        _check_alone()
        _render_again(again, model, out, data, model_options, as_json)
        return
    if model is None or not targets:
        hint = "'MODEL'" if model is None else "'TARGET...'"
        raise click.MissingParameter(param_hint=hint, param_type="argument")
    import_tensorflow()
    recipe = recipe_options.chosen()
    net = with_data(read_network(model, model_options, input_options), data)

    from kerasviz.optvis.objectives.scoring import taps_of
    from kerasviz.optvis.objectives.targets import parse_targets
    from kerasviz.rendering.batching import check_batch
    from kerasviz.rendering.request import by_image, make_requests
    from kerasviz.rendering.store import Store

    what, folder = RenderArguments(**asked), out or Path("out") / net.name
    wanted = parse_targets(targets, net)
    taps = taps_of([target.objective for target in wanted], net, recipe.pre_activation)
    recipe = recipe_options.resolved(recipe, net, taps, folder)
    requests = []
    for part, image in by_image(net, wanted, recipe):
        requests += make_requests(
            net,
            part,
            recipe_options.fitted(recipe, image),
            seed=what.seed,
            kind="negative" if what.negative else "",
            rows=what.diversity or 1,
            snapshots=what.snapshots or (),
        )
    requests = [replace(request, batch=what.batch) for request in requests]
    check_batch(net, requests)
    store = Store(folder, net, file_format)
    made = _render(store, requests, command_line(model, recipe_options.recipe).of_store)
    _warn_of_flat(store, requests)
    _report(store, requests, made, as_json)


def _check_alone() -> None:
    """Refuse arguments that would say otherwise than the file of ``--again``."""
    ctx = click.get_current_context()
    for param in ctx.command.params:
        source = ctx.get_parameter_source(param.name or "")
        if source is ParameterSource.COMMANDLINE and param.name not in WITH_AGAIN:
            name = "the TARGETs" if isinstance(param, click.Argument) else param.opts[0]
            raise UsageError(f"--again renders what the file records; leave out {name}")


def _render_again(
    file: Path,
    model: str | None,
    out: Path | None,
    data: Path | None,
    model_options: ModelOptions,
    as_json: bool,
) -> None:
    """Render the picture of a file again, unless it is complete in the folder."""
    recorded = _provenance(file)
    take_threads([recorded["environment"]])
    import_tensorflow()
    from kerasviz.optvis.environment import differences, environment
    from kerasviz.rendering.again import RecordedStore, check_recorded
    from kerasviz.rendering.commands import again_command
    from kerasviz.rendering.held_data import with_held
    from kerasviz.rendering.manifest import MANIFEST

    check_recorded(file, recorded)
    # An atlas keeps its files two folders deeper than its manifest.
    folders = [file.parent, Path(os.path.normpath(file.parent / ".." / ".."))]
    folder = next((path for path in folders if (path / MANIFEST).is_file()), file.parent)
    model = model or _recorded_model(file, folder, recorded["network"])
    net = with_data(load_recorded(model, recorded["network"], model_options), data)
    net = with_held(net, folder, recorded.get("data", {}))
    store = RecordedStore(out or folder, net, file, recorded)
    batch, made = store.batch, 0
    if not store.complete(batch.requests[0]):
        for note in differences(environment(), recorded["environment"]):
            click.echo(f"kerasviz: environment: {note}", err=True)
        made = _render(
            store, batch.requests, lambda s: {f: again_command(f) for f in s.entries}, [batch]
        )
    _report(store, batch.requests, made, as_json)


def _provenance(file: Path) -> dict[str, Any]:
    """Read what a file records. Raises :class:`UsageError` where that is no optimized picture."""
    if not file.is_file():
        raise UsageError(f"no file {str(file)!r}")
    try:
        _, recorded = decode(file.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{str(file)!r} cannot be read as a picture") from error
    if recorded is None or "recipe" not in recorded:
        raise UsageError(
            f"{str(file)!r} does not record an optimization; give a PNG file that kerasviz "
            "render made, or one of the single pictures of figures or an atlas"
        )
    return recorded


def _recorded_model(file: Path, folder: Path, network: dict[str, Any]) -> str:
    """Return the model that a picture was made with, by the manifest near it or by its name."""
    from kerasviz.rendering.manifest import MANIFEST, read_manifest
    from kerasviz.zoo.model_card import cards

    manifest = read_manifest(folder) if (folder / MANIFEST).is_file() else None
    if manifest is not None and (model := model_of(folder, manifest)) is not None:
        return model
    if (name := str(network["name"])) in cards():
        return name
    raise UsageError(
        f"the model {name!r} that {str(file)!r} was made with is not there; name it: "
        f"kerasviz render MODEL --again {file}"
    )


def _render(
    store: Store,
    requests: Sequence[Request],
    commands: Callable[[Store], Mapping[str, str]],
    missing: Sequence[Batch] | None = None,
) -> int:
    """Render what is missing, with progress; returns how many pictures were made.

    The folder's page is written even if Ctrl-C ends it before all are finished. ``commands`` make
    the pictures of a store again, by file.
    """
    from kerasviz.cli.progress import rendering
    from kerasviz.cli.stopping import kept_pictures, stoppable
    from kerasviz.rendering.pages import write_index
    from kerasviz.rendering.run import render_into

    with stoppable(lambda: kept_pictures(len(store.finished(requests)), store.folder)):
        try:
            with rendering() as progress:
                return render_into(store, requests, progress, missing=missing).made
        finally:
            if store.entries:
                write_index(store.folder, store.manifest(), commands(store))


def _pictures(count: int) -> str:
    return "picture is" if count == 1 else "pictures are"


def _warn_of_flat(store: Store, requests: Sequence[Request]) -> None:
    """Warn of pictures that are one grey: their units gave no gradient at the start."""
    import numpy as np

    from kerasviz.io.images import decode

    flat = []
    for entry in store.finished(requests):
        image, _ = decode((store.folder / entry.file).read_bytes())
        # The numbers of a picture of 4096 pixels would take hundreds of MB, its histogram does not.
        counts, values = np.reshape(image.histogram(), (-1, 256)).sum(0), np.arange(256) / 255
        mean = np.average(values, weights=counts)
        if np.average((values - mean) ** 2, weights=counts) < FLAT**2:
            flat.append(entry.file)
    if flat:
        names = ", ".join(flat[:5]) + (f" and {len(flat) - 5} more" if len(flat) > 5 else "")
        click.echo(
            f"kerasviz: warning: flat grey, the unit did not start: {names}; "
            "try another --seed, --recipe lucid or more --steps",
            err=True,
        )


def _report(store: Store, requests: Sequence[Request], made: int, as_json: bool) -> None:
    page = store.folder / "index.html"
    finished = store.finished(requests)
    kept = len(finished) - made
    if as_json:
        data = {
            "made": made,
            "kept": kept,
            "folder": str(store.folder),
            "page": str(page),
            "pictures": [
                {"file": e.file, "target": e.target, "score": e.score, "sha256": e.sha256}
                for e in finished
            ],
        }
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
        return
    if made:
        complete = f", {kept} {_pictures(kept).split()[1]} complete" if kept else ""
        click.echo(f"made {made} {_pictures(made).split()[0]}{complete}")
    else:
        click.echo(f"nothing to do: {kept} {_pictures(kept)} complete")
    click.echo(f"open {page}")
