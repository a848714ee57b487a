"""``kerasviz listen``: sounds of the spectrograms in a folder, by a guessed front end."""

from __future__ import annotations

import math
from pathlib import Path

import click

from kerasviz.cli.options import data_option, recorded_model_option, seed_option
from kerasviz.cli.progress import import_tensorflow


@click.command(
    "listen",
    epilog="""\b
Examples:
  kerasviz render spectrograms.onnx conv3:7 --axes batch,frame,band --range -7,3 --out bands
  kerasviz listen bands --front-end yamnet
  kerasviz listen bands --front-end guess.json --out sounds

For networks of spectrograms whose front end nobody knows. Where it is known, render with
`--front-end`, and the sound itself is optimized. `keeps` is the activation by the sound's own
spectrogram, over that by the optimized one: below 50% the sound is not what the unit saw.
""",
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--front-end",
    required=True,
    metavar="NAME|FILE",
    help="The guess: a card's name or a JSON file of rate, window, hop, bands and more.",
)
@recorded_model_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the WAV files. [default: DIR-sounds]",
)
@seed_option
@data_option
def command(
    folder: Path, front_end: str, model: str | None, out: Path | None, seed: int, data: Path | None
) -> None:
    """Turn the optimized spectrograms in DIR into WAV files, and say what they keep.

    DIR was made by `kerasviz render`, of a network that takes spectrograms.
    """
    import_tensorflow()
    from kerasviz.cli.stopping import stoppable
    from kerasviz.examples.listening import listen

    with stoppable():
        heard = listen(folder, front_end, model, out=out, seed=seed, data=data)
    for each in heard:
        kept = "keeps nothing" if math.isnan(each.kept) else f"keeps {each.kept:.0%}"
        click.echo(f"{each.file}: {kept}")
        if each.warning:
            click.echo(f"  {each.warning}")
