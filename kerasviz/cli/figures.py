"""``kerasviz figures``: the article's figures for any network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerasviz.cli.completion import complete_figures
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    RecipeOptions,
    data_option,
    input_options,
    model_options,
    recipe_options,
    seed_option,
    with_data,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network
from kerasviz.cli.typed import command_line
from kerasviz.errors import KerasvizError, UsageError, near

if TYPE_CHECKING:
    from kerasviz.figures import FigureSet
    from kerasviz.network.network import Network
    from kerasviz.optvis.recipes import Recipe
    from kerasviz.rendering.batching import Batch


@click.command(
    "figures",
    epilog="""\b
Examples:
  kerasviz figures --list
  kerasviz figures --list --model efficientnet-lite0 --quick
  kerasviz figures --model efficientnet-lite0 --recipe fast
  kerasviz figures hero objectives --model efficientnet-lite0 --recipe fast --out out/demo
  kerasviz figures appendix-overview --model model.onnx --preprocess torchvision --steps 256
""",
)
@click.argument("slugs", metavar="[SLUG]...", nargs=-1, shell_complete=complete_figures)
@click.option("--model", help="A model file or a name of `kerasviz models list`.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the figures. [default: out/NAME OF THE MODEL-figures]",
)
@recipe_options("article")
@seed_option
@click.option(
    "--quick",
    is_flag=True,
    help="At most 128 steps, and of figures with hundreds of settings only some.",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    metavar="FOLDER|FILE",
    help="PNG or JPEG files for the figures of gradients. [default: an optimized picture]",
)
@click.option(
    "--examples",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="What `kerasviz examples` found, for the panels of dataset examples.",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="TAP",
    help="A layer all of whose units `appendix-layer` shows; repeat for more. "
    "[default: 8 units of the one in the place of mixed4a]",
)
@click.option(
    "--list",
    "only_list",
    is_flag=True,
    help="List the figures with what each needs and end; with --model also the minutes.",
)
@data_option
@input_options
@model_options
def command(
    slugs: tuple[str, ...],
    model: str | None,
    out: Path | None,
    seed: int,
    quick: bool,
    photos: Path | None,
    layers: tuple[str, ...],
    examples: Path | None,
    only_list: bool,
    recipe_options: RecipeOptions,
    data: Path | None,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Draw figures of "Feature Visualization" (Olah et al., Distill 2017) for a network.

    SLUGs name the figures (`--list` shows them); without any, all are drawn. Where the network
    cannot have a figure, the reason is said, the others are drawn, and the command ends with 1.
    """
    import_tensorflow()
    from kerasviz.figures import CATALOGUE, make_figures
    from kerasviz.rendering.commands import QUICK_STEPS

    for slug in slugs:
        if slug not in CATALOGUE:
            raise UsageError(f"no figure {slug!r}; near: {near(slug, CATALOGUE)}")
    wanted = list(dict.fromkeys(slugs)) or list(CATALOGUE)
    recipe = recipe_options.chosen()
    if quick:
        recipe = recipe.replace(steps=min(recipe.steps, QUICK_STEPS))
    if model is None:
        if only_list:
            from kerasviz.figures.layout.article_outline import article_outline

            _list(article_outline(), wanted, recipe, quick, layers, timed=False)
            return
        raise UsageError("figures of which network? add --model NAME or --model FILE")
    net = with_data(read_network(model, model_options, input_options), data)
    recipe = recipe_options.fitted(recipe, net)
    folder = out or Path("out") / f"{net.name}-figures"
    taps = net.main_taps or tuple(net.taps)[-1:]
    recipe = recipe_options.resolved(recipe, net, taps, folder / "pictures")
    if only_list:
        _list(net, wanted, recipe, quick, layers, timed=True)
        return

    from kerasviz.cli.figure_list import announcement
    from kerasviz.cli.progress import rendering
    from kerasviz.cli.stopping import kept_pictures, stoppable
    from kerasviz.rendering.store import count_finished

    said: dict[str, str] = {}

    def begin(plans: Sequence[Batch], failed: Mapping[str, str]) -> None:
        said.update(failed)
        announcement(net)(plans, failed)

    def kept() -> str:
        return kept_pictures(count_finished(folder / "pictures"), folder)

    with stoppable(kept), rendering() as progress:
        made = make_figures(
            net,
            wanted,
            recipe,
            folder,
            seed=seed,
            quick=quick,
            photos=photos,
            layers=layers,
            examples=examples,
            progress=progress,
            begin=begin,
            command=command_line(model, recipe_options.recipe),
        )
    _report(made, said, len(wanted))


def _report(made: FigureSet, said: Mapping[str, str], wanted: int) -> None:
    """Print what was made; raise an error that names the figures that could not be made.

    ``said`` holds the failures that were printed before the rendering.
    """
    from kerasviz.cli.figure_list import lines_of_failures

    if made.computed:
        click.echo(
            f"computed {made.computed} picture{'s' if made.computed > 1 else ''} of gradients"
        )
    if made.made:
        words = "picture" if made.made == 1 else "pictures"
        already = f", {made.kept} were complete" if made.kept else ""
        click.echo(f"rendered {made.made} {words}{already}")
    elif made.kept and not made.computed:
        click.echo(f"nothing to do: {made.kept} pictures are complete")
    if made.paths:
        click.echo(f"open {made.index}")
    if made.failed:
        late = {slug: why for slug, why in made.failed.items() if slug not in said}
        for line in lines_of_failures(late):
            click.echo(line, err=True)
        count = f"{len(made.failed)} of {wanted} figure{'' if wanted == 1 else 's'}"
        raise KerasvizError(f"{count} could not be made: {', '.join(made.failed)}")


def _list(
    net: Network,
    slugs: Sequence[str],
    recipe: Recipe,
    quick: bool,
    layers: Sequence[str],
    timed: bool,
) -> None:
    """Print what figures need."""
    from kerasviz.cli.figure_list import figure_lines
    from kerasviz.cli.progress import working
    from kerasviz.cli.stopping import stoppable
    from kerasviz.figures.layout.context import FigureOptions

    options = FigureOptions(net, recipe, quick=quick, layers=tuple(layers))
    with stoppable(), working(f"timing a few steps of {net.name}" if timed else "counting"):
        lines = figure_lines(options, slugs, timed)
    click.echo("\n".join(lines))
