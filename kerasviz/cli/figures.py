"""``kerasviz figures``: the article's figures for any network."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from kerasviz.cli.completion import complete_figures
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    data_option,
    input_options,
    model_options,
    recipe_options,
    seed_option,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network, say_sizes
from kerasviz.cli.typed import command_line
from kerasviz.errors import KerasvizError, UsageError
from kerasviz.types import ArticleName

if TYPE_CHECKING:
    from kerasviz.figures import FigureSet
    from kerasviz.figures.layout.context import FigureOptions
    from kerasviz.rendering.batching import Batch
    from kerasviz.rendering.recipe_options import RecipeOptions


@click.command(
    "figures",
    epilog="""\b
Examples:
  kerasviz figures --list
  kerasviz figures --list --model efficientnet-lite0 --quick
  kerasviz figures --model efficientnet-lite0 --recipe fast
  kerasviz figures --article circuits --model efficientnet-lite0 --recipe fast
  kerasviz figures --article building-blocks --model efficientnet-lite0 --photos cat.jpg
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
    help="PNG or JPEG files for the figures of gradients, for those of building-blocks, which are "
    "about the first, and of activation-atlas. [default: five that come with kerasviz]",
)
@click.option(
    "--examples",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="What `kerasviz examples` found, for the panels of dataset examples.",
)
@click.option(
    "--layer",
    multiple=True,
    metavar="TAP",
    help="A layer all of whose units `appendix-layer` shows; repeat for more. "
    "[default: 8 units of the one in the place of mixed4a]",
)
@click.option(
    "--article",
    type=click.Choice(get_args(ArticleName)),
    default="feature-visualization",
    show_default=True,
    help="Whose figures are drawn where no SLUG is named.",
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
    layer: tuple[str, ...],
    examples: Path | None,
    article: str,
    only_list: bool,
    recipe_options: RecipeOptions,
    data: Path | None,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Draw the figures of "Feature Visualization" (Distill 2017) or of a later article.

    SLUGs name the figures (`--list` shows them); without any, all are drawn. Where the network
    cannot have a figure, the reason is said, the others are drawn, and the command ends with 1.
    """
    import_tensorflow()
    from kerasviz.figures.make import (
        figure_names,
        figure_options,
        figure_recipe,
        figures_folder,
        quick_recipe,
        write_figures,
    )
    from kerasviz.zoo.arguments import with_data

    wanted = figure_names(slugs, article)
    usual = quick_recipe(recipe_options, quick)
    if model is None:
        if only_list:
            from kerasviz.figures.layout.article_outline import article_outline

            _list(figure_options(article_outline(), usual, quick=quick, layer=layer), wanted, False)
            return
        raise UsageError("figures of which network? add --model NAME or --model FILE")
    from kerasviz.cli.progress import rendering, working
    from kerasviz.cli.stopping import kept_pictures, stoppable

    net = with_data(
        read_network(model, model_options, input_options).require_images("figures"), data
    )
    folder = figures_folder(net, out)
    with working(f"choosing the precision of {net.name}"):
        recipe = figure_recipe(recipe_options, usual, net, folder)
    say_sizes(usual, [recipe])
    if only_list:
        _list(figure_options(net, recipe, quick=quick, photos=photos, layer=layer), wanted, True)
        return

    from kerasviz.cli.figure_list import announcement
    from kerasviz.rendering.store import count_finished

    said: dict[str, str] = {}

    def begin(plans: Sequence[Batch], failed: Mapping[str, str]) -> None:
        said.update(failed)
        announcement(net)(plans, failed)

    def kept() -> str:
        return kept_pictures(count_finished(folder / "pictures"), folder)

    began = time.monotonic()
    with stoppable(kept), rendering() as progress:
        options = figure_options(
            net, recipe, seed=seed, quick=quick, photos=photos, layer=layer, examples=examples
        )
        command = command_line(model, recipe_options.name)
        made = write_figures(options, wanted, folder, progress, begin, command)
    _report(made, said, len(wanted), time.monotonic() - began)


def _report(made: FigureSet, said: Mapping[str, str], wanted: int, seconds: float) -> None:
    """Print what was made; raise an error that names the figures that could not be made.

    ``said`` holds the failures that were printed before the rendering.
    """
    from kerasviz.cli.figure_list import lines_of_failures
    from kerasviz.rendering.progress import passed

    if made.computed:
        click.echo(f"computed {made.computed} picture{'s' if made.computed > 1 else ''}")
    if made.made:
        words = "picture" if made.made == 1 else "pictures"
        already = f", {made.kept} were complete" if made.kept else ""
        click.echo(f"rendered {made.made} {words}{already}, {passed(seconds)}")
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


def _list(options: FigureOptions, slugs: Sequence[str], timed: bool) -> None:
    """Print what figures need."""
    from kerasviz.cli.figure_list import figure_lines
    from kerasviz.cli.progress import working
    from kerasviz.cli.stopping import stoppable

    text = f"timing a few steps of {options.net.name}" if timed else "counting"
    with stoppable(), working(text):
        lines = figure_lines(options, slugs, timed)
    click.echo("\n".join(lines))
