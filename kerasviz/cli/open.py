"""``kerasviz open``: explore a network in the browser, which fills itself with pictures."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import click

from kerasviz.cli.completion import complete_models
from kerasviz.cli.options import InputOptions, ModelOptions, input_options, model_options
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import given_facts
from kerasviz.cli.serve import check_settings, examples_option, remember_for, require_service
from kerasviz.cli.typed import command_line, typed_words
from kerasviz.io.files import cache_folder

#: The port that is taken where it is free, so that addresses work again after a restart.
PORT = 8501
#: Sites of this machine whose pages, such as notebooks, may show the page in a frame.
NOTEBOOKS = (
    *("http://localhost:*", "http://127.0.0.1:*", "https://localhost:*", "https://127.0.0.1:*"),
    "vscode-webview:",
)


@click.command(
    "open",
    epilog="""\b
Examples:
  kerasviz open model.onnx
  kerasviz open before.keras after.keras
  kerasviz open model.onnx --examples out/model-examples

\b
Pictures are kept: the next time they are there at once. Ctrl-C stops it.
""",
)
@click.argument(
    "model", metavar="MODEL...", nargs=-1, required=True, shell_complete=complete_models
)
@examples_option
@click.option(
    "--facets",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of folders with photos: a picture of each unit is steered towards each of them.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for everything that is written. [default: one of the network in the user cache]",
)
@click.option("--browser/--no-browser", default=True, help="Whether to open a window.")
@click.option("--embed", is_flag=True, help="Let pages of this machine show it, as notebooks do.")
@input_options
@model_options
def command(
    model: tuple[str, ...],
    *,
    examples: Path | None,
    facets: Path | None,
    data: Path | None,
    browser: bool,
    embed: bool,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Explore MODEL in the browser: every layer and unit, with pictures that make themselves.

    MODEL is a file or a name of `kerasviz models list`; units of several can be compared. The page
    is that of `kerasviz serve`, on this machine only. It makes rough pictures of the layers on the
    screen, then good ones of those that are looked at longest, and nothing while nobody looks.
    """
    require_service()
    from kerasviz.service.jobs import start_worker

    worker = start_worker.start()  # which imports TensorFlow at the same time as this process
    import_tensorflow()  # before what follows imports it, and without its notes
    if facets is not None:
        from kerasviz.rendering.facets import FacetFolders

        FacetFolders.of(facets)  # which raises for a folder without facets
    from kerasviz.service.server import listening_near, serve
    from kerasviz.service.settings import ServiceSettings, served_name

    names = [served_name(each) for each in model]
    setting = ServiceSettings(
        data=data or _own_folder(model, names),
        models=model,
        port=PORT,
        reading=input_options.described(model_options.source("")),
        cli_args=command_line("", "fast", held=False).reading or (),
        folder_args=typed_words(["data"]),
        filling=True,
        framed_by=NOTEBOOKS if embed else (),
        examples=examples,
        facets=facets,
        quiet=True,
    )
    check_settings(setting)
    given = given_facts(input_options.spec(), setting.reading.labels)

    def ready(address: str) -> None:
        place = f"{address}/#/{quote(names[0]) if len(names) == 1 else ''}"
        verb = "is" if len(names) == 1 else "are"
        click.echo(f"{' and '.join(names)} {verb} open at {place} (Ctrl-C stops)")
        remember_for(setting, given)
        if browser:
            webbrowser.open(place)

    with listening_near(setting) as at:
        serve(setting, at, ready, worker)


def _own_folder(models: Sequence[str], names: Sequence[str]) -> Path:
    """Return the folder in the user cache for what is made of networks: of the same files again."""
    from kerasviz.io.download import sha256_of
    from kerasviz.io.files import digest

    paths = [Path(model) for model in models if Path(model).exists()]
    if not paths and len(names) == 1:
        return cache_folder() / "open" / names[0]
    contents = [sha256_of(p) if p.is_file() else str(p.resolve()) for p in paths]
    return cache_folder() / "open" / f"{names[0]}-{digest([*names, *contents])[:8]}"
