"""``kerasviz render``: pictures of what units look for, in a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, get_args

import click
from click.core import ParameterSource

from kerasviz.cli.completion import complete_models, complete_taps
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    alpha_option,
    data_option,
    input_options,
    json_option,
    model_options,
    recipe_options,
    seed_option,
    size_of,
    spectrum_option,
    steps_of,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network, say_sizes
from kerasviz.cli.stopping import kept_pictures, stoppable
from kerasviz.cli.typed import command_line
from kerasviz.cli.word_options import word_options
from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.grammar import GRAMMAR
from kerasviz.types import FileFormat

if TYPE_CHECKING:
    from kerasviz.network.network import Network
    from kerasviz.rendering.manifest import Entry
    from kerasviz.rendering.recipe_options import RecipeOptions
    from kerasviz.rendering.request import Request
    from kerasviz.rendering.store import Store
    from kerasviz.zoo.model_source import ModelSource

#: What may be given beside ``--again``.
WITH_AGAIN = (
    *("again", "model", "out", "data", "as_json", "imports", "unsafe", "importer"),
    "signature",
)


def weights_of(text: str | float) -> float | str:
    """Return one weight as a number; the function of the command reads others."""
    try:
        return float(text)
    except ValueError:
        return str(text)


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
  kerasviz render efficientnet-lite0 "block3b:1 + logit:goldfish" --balance
  kerasviz render efficientnet-lite0 block5a:4 --diversity 4
  kerasviz render efficientnet-lite0 block5a:4 --snapshots 0,4,48
  kerasviz render efficientnet-lite0 logit:goldfish --alpha
  kerasviz render efficientnet-lite0 block5a:4 caricature:block4a --from cat.jpg
  kerasviz render efficientnet-lite0 block4a --from cat.jpg --recipe deepdream
  kerasviz render efficientnet-lite0 style --from cat.jpg --style waves.jpg --steps 512
  kerasviz render efficientnet-lite0 block5a:4 --facets themes
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
@spectrum_option
@word_options
@recipe_options("fast")
@click.option(
    "--seconds",
    type=float,
    metavar="S",
    help="Length of a sound, or of a signal of known rate. [default: the network's, else 2]",
)
@click.option(
    "--views",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images that the network sees of each picture in a step, as 16 crops of a photo. "
    "[default: the recipe's]",
)
@click.option(
    "--cutoff",
    type=float,
    metavar="X",
    help="End a picture when its score has reached this: a photo is changed no more than it takes.",
)
@click.option(
    "--final-size",
    type=size_of,
    metavar="N|HxW",
    help="Pixels of the finished picture, where --param has one in any size (cppn).",
)
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
@alpha_option
@click.option("--negative", is_flag=True, help="What the targets respond to least.")
@click.option(
    "--balance",
    is_flag=True,
    help="Divide each term of a sum by what it reaches alone, so that none hides the others.",
)
@click.option(
    "--from",
    "from_",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="PHOTO|DIR",
    help="Start from a photo, or each of several: show what the targets add to it. Caricatures and "
    "inversions show what a layer has of it.",
)
@click.option(
    "--style",
    type=click.Path(path_type=Path),
    metavar="PHOTO",
    help="Paint what --from gives in the style of this photo, by the target style.",
)
@click.option(
    "--facets",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of folders with photos: after each picture one for every folder, steered towards "
    "its photos.",
)
@click.option(
    "--facet-weight",
    type=weights_of,
    default=5.0,
    show_default=True,
    metavar="X[,X...]|row",
    help="How strongly facets steer; of several there is a picture each, row stands for nine from "
    "0.1 to 5.",
)
@click.option(
    "--facet-positions",
    is_flag=True,
    help="Let it count for facets where in their photos things are.",
)
@click.option(
    "--loop-layer",
    "loop_layers",
    multiple=True,
    metavar="LAYER",
    help="Layer whose units share one compiled loop with those of the others that are named, which "
    "is faster for many layers in few steps. The last bits of a picture depend on it.",
)
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
    type=click.Choice(get_args(FileFormat)),
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
        _render_again(again, model_options.shown_source(model), out, data, as_json)
        return
    if model is None or not targets:
        hint = "'MODEL'" if model is None else "'TARGET...'"
        raise click.MissingParameter(param_hint=hint, param_type="argument")
    import_tensorflow()
    from kerasviz.cli.progress import rendering, working
    from kerasviz.rendering.fill import fill_folder, flat_files
    from kerasviz.rendering.picture_options import PictureOptions, requests_for
    from kerasviz.rendering.store import Store
    from kerasviz.zoo.arguments import with_data

    usual = recipe_options.chosen()
    net = with_data(read_network(model, model_options, input_options), data)
    folder = out or Path("out") / net.name
    with working(f"choosing the precision of {net.name}"):
        pictures = PictureOptions.of(**asked)
        requests = requests_for(net, targets, recipe_options, pictures, folder)
    if pictures.balance and not any(request.balance for request in requests):
        click.echo("kerasviz: nothing to balance: no target is a sum of several terms", err=True)
    say_sizes(usual, (request.recipe for request in requests))
    _say_lengths(requests)
    _say_tokens(net, usual.name, requests)
    store = Store(folder, net, file_format)
    commands = command_line(model, recipe_options.name).of_store
    began = time.monotonic()
    with _stoppable(store, requests), rendering() as progress:
        made = fill_folder(store, requests, commands, progress).made
    _warn_of_flat(flat_files(store, requests))
    _report(store, requests, made, time.monotonic() - began, as_json)


def _say_lengths(requests: Sequence[Request]) -> None:
    """Say how long the vectors of files are, which nothing normalizes."""
    terms = [t for request in requests for t in request.objective.terms if t.source is not None]
    lengths = sorted(term.norm for term in terms)
    if len(lengths) == 1:
        click.echo(f"kerasviz: direction of length |v| = {lengths[0]:.4g}", err=True)
    elif lengths:
        within = f"{lengths[0]:.4g} to {lengths[-1]:.4g}"
        click.echo(f"kerasviz: {len(lengths)} directions of lengths |v| = {within}", err=True)


def _say_tokens(net: Network, recipe: str, requests: Sequence[Request]) -> None:
    """Name the recipe for transformers where tokens of patches are asked for by another preset."""
    from kerasviz.network.positions import positions_of
    from kerasviz.optvis.recipes import RECIPES

    if recipe not in RECIPES or recipe == "vit" or net.medium != "image":
        return
    asked = {
        (name, request.recipe.size)
        for request in requests
        for term in request.objective.terms
        for name in term.names
        if len(net.taps[name].shape or ()) == 3
    }
    for name, size in sorted(asked):
        if positions_of(net, name, size).grid:
            click.echo(
                f"kerasviz: {name} has tokens of a transformer; --recipe vit shows more of its "
                "units",
                err=True,
            )
            return


def _check_alone() -> None:
    """Refuse arguments that would say otherwise than the file of ``--again``."""
    ctx = click.get_current_context()
    for param in ctx.command.params:
        source = ctx.get_parameter_source(param.name or "")
        if source is ParameterSource.COMMANDLINE and param.name not in WITH_AGAIN:
            name = "the TARGETs" if isinstance(param, click.Argument) else param.opts[0]
            raise UsageError(f"--again renders what the file records; leave out {name}")


def _render_again(
    file: Path, model: ModelSource, out: Path | None, data: Path | None, as_json: bool
) -> None:
    """Render the picture of a file again, unless it is complete in the folder."""
    from kerasviz.rendering.recorded import read_provenance, source_of_picture, take_threads

    recorded = read_provenance(file)
    take_threads([recorded["environment"]])
    import_tensorflow()
    from kerasviz.cli.progress import rendering
    from kerasviz.optvis.environment import differences, environment
    from kerasviz.rendering.again import check_recorded, fill_again, recorded_store
    from kerasviz.zoo.arguments import as_network

    check_recorded(file, recorded)
    source = source_of_picture(file, recorded["network"], model)
    store = recorded_store(file, recorded, as_network(source, data), out)
    requests, made, began = store.batch.requests, 0, time.monotonic()
    if not store.complete(requests[0]):
        for note in differences(environment(), recorded["environment"]):
            click.echo(f"kerasviz: environment: {note}", err=True)
        with _stoppable(store, requests), rendering() as progress:
            made = fill_again(store, progress)
    _report(store, requests, made, time.monotonic() - began, as_json)


def _stoppable(store: Store, requests: Sequence[Request]) -> AbstractContextManager[None]:
    """Let Ctrl-C in the block say which pictures are kept."""
    return stoppable(lambda: kept_pictures(len(store.finished(requests)), store.folder))


def _pictures(count: int) -> str:
    return "picture is" if count == 1 else "pictures are"


def _warn_of_flat(files: Sequence[str]) -> None:
    if files:
        names = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
        click.echo(
            f"kerasviz: warning: flat grey, the unit did not start: {names}; "
            "try another --seed, --recipe lucid or more --steps",
            err=True,
        )


def _picture_data(store: Store, entry: Entry) -> dict[str, Any]:
    """Return what ``--json`` says of a picture; of a sum also the scores of its terms."""
    from kerasviz.rendering.request import Request

    data: dict[str, Any] = {
        "file": entry.file,
        "target": entry.target,
        "score": entry.score,
        "sha256": entry.sha256,
    }
    if entry.term_scores:
        data["term_scores"] = dict(entry.term_scores)
    if alone := Request.from_json(entry.target, store.requests[entry.request]).alone:
        data["alone"] = alone
    return data


def _report(
    store: Store, requests: Sequence[Request], made: int, seconds: float, as_json: bool
) -> None:
    from kerasviz.rendering.facet_reports import recorded_facets
    from kerasviz.rendering.latent_reports import recorded_latents
    from kerasviz.rendering.progress import best_of, passed

    page = store.folder / "index.html"
    latents = recorded_latents(store, requests)
    facets = recorded_facets(store, requests)
    finished = store.finished(requests)
    kept = len(finished) - made
    if as_json:
        data = {
            "made": made,
            "kept": kept,
            "folder": str(store.folder),
            "page": str(page),
            "pictures": [_picture_data(store, entry) for entry in finished],
            **({"latents": [report.to_json() for report in latents]} if latents else {}),
            **({"facets": [asdict(report) for report in facets]} if facets else {}),
        }
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
        return
    if made:
        complete = f", {kept} {_pictures(kept).split()[1]} complete" if kept else ""
        last = f"{passed(seconds)}, {best_of(finished)}"
        click.echo(f"made {made} {_pictures(made).split()[0]}{complete}, {last}")
    else:
        click.echo(f"nothing to do: {kept} {_pictures(kept)} complete")
    for report in (*latents, *facets):
        click.echo(str(report))
    click.echo(f"open {page}")
