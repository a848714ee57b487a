"""``kerasviz figures``: the article's figures for any network."""

from __future__ import annotations

from pathlib import Path

import click

from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    RecipeOptions,
    input_options,
    model_options,
    recipe_options,
    seed_option,
)
from kerasviz.cli.quiet import import_tensorflow
from kerasviz.errors import UsageError, near

__all__ = ["command"]

#: Steps of every picture with ``--quick``.
QUICK_STEPS = 128


@click.command(
    "figures",
    epilog="""\b
Examples:
  kerasviz figures --list
  kerasviz figures --model efficientnet-lite0 --recipe fast
  kerasviz figures hero objectives --model efficientnet-lite0 --recipe fast --out out/demo
  kerasviz figures appendix-overview --model model.onnx --preprocess torchvision --steps 256
""",
)
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--model", help="A model file or a name of `kerasviz models list`.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the figures. [default: out/NAME OF THE MODEL-figures]",
)
@recipe_options
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
@click.option("--list", "only_list", is_flag=True, help="List the figures and end.")
@input_options
@model_options
def command(
    slugs: tuple[str, ...],
    model: str | None,
    out: Path | None,
    seed: int,
    quick: bool,
    photos: Path | None,
    only_list: bool,
    recipe_options: RecipeOptions,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Draw figures of "Feature Visualization" (Olah et al., Distill 2017) for a network.

    SLUGs name the figures (`--list` shows them); without any, all are drawn.
    """
    import_tensorflow()
    from kerasviz.figures import CATALOGUE, make_figures

    for slug in slugs:
        if slug not in CATALOGUE:
            raise UsageError(f"no figure {slug!r}; near: {near(slug, CATALOGUE)}")
    if only_list:
        from kerasviz.cli.taps import aligned

        for line in aligned([(slug, CATALOGUE[slug].title) for slug in slugs or CATALOGUE]):
            click.echo(line)
        return
    if model is None:
        raise UsageError("figures of which network? add --model NAME or --model FILE")
    recipe = recipe_options.chosen()
    if quick:
        recipe = recipe.replace(steps=min(recipe.steps, QUICK_STEPS))
    net = model_options.load(model, input_options.spec())
    input_options.complete(net)

    from kerasviz.cli.progress import rendering
    from kerasviz.cli.stopping import stoppable
    from kerasviz.store import count_finished

    folder = out or Path("out") / f"{net.name}-figures"

    def kept() -> str:
        count = count_finished(folder / "pictures")
        words = "finished picture is" if count == 1 else "finished pictures are"
        return f"{count} {words} kept in {folder}, the same command goes on from there"

    with stoppable(kept), rendering() as progress:
        made = make_figures(
            net,
            list(slugs) or list(CATALOGUE),
            recipe,
            folder,
            seed=seed,
            quick=quick,
            photos=photos,
            progress=progress,
        )
    if made.computed:
        click.echo(
            f"computed {made.computed} picture{'s' if made.computed > 1 else ''} of gradients"
        )
    if made.made:
        words = "picture" if made.made == 1 else "pictures"
        already = f", {made.kept} were there already" if made.kept else ""
        click.echo(f"rendered {made.made} {words}{already}")
    elif made.kept and not made.computed:
        click.echo(f"nothing to do: {made.kept} pictures are there already")
    click.echo(f"open {made.index}")
