"""Options that several commands share, and what they mean for the library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from kerasviz.cli.completion import complete_recipes, remember_taps
from kerasviz.errors import UsageError
from kerasviz.network.class_names import read_names
from kerasviz.network.input_spec import PRESETS, InputWords
from kerasviz.network.size import lengths_of as axis_lengths
from kerasviz.network.size import size_of as pixels_of
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.types import Param, Precision
from kerasviz.zoo.model_source import IMPORTERS, ModelSource

if TYPE_CHECKING:
    from kerasviz.network.input_spec import InputSpec
    from kerasviz.network.network import Network

Command = TypeVar("Command", bound=Callable[..., Any])
Source = TypeVar("Source", bound=ModelSource)

PREPROCESS = tuple(PRESETS)
PARAMETERIZATIONS = get_args(Param)
PRECISIONS = get_args(Precision)


def size_of(text: str) -> tuple[int, int]:
    """Parse (height, width) from ``128`` or ``96x128``.

    >>> size_of("128"), size_of("96x128")
    ((128, 128), (96, 128))
    """
    try:
        return pixels_of(text)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


def lengths_of(text: str) -> tuple[int, ...]:
    """Parse the lengths of axes from ``128``, ``96x128`` or ``16x24x32``.

    >>> lengths_of("128"), lengths_of("16x24x32")
    ((128,), (16, 24, 32))
    """
    try:
        return axis_lengths(text)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


def numbers_of(text: str) -> tuple[float, ...]:
    """Parse finite numbers from ``104,117,123``.

    >>> numbers_of("104,117,123")
    (104.0, 117.0, 123.0)
    """
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(math.isfinite(n) for n in numbers):
        raise click.BadParameter(
            f"{text!r}: expected one number, or one per channel such as 104,117,123"
        )
    return numbers


def steps_of(text: str) -> tuple[int, ...]:
    """Parse step numbers from ``0,4,48``; return them in order, each once.

    >>> steps_of("48, 0,4,4")
    (0, 4, 48)
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{text!r}: expected step numbers such as 0,4,48")
    return tuple(sorted({int(part) for part in parts}))


# -- the model -------------------------------------------------------------------------------


class ShownSource(ModelSource):
    """Show that a model is loaded, and remember its taps for completion."""

    def load(self) -> Network:
        """Load the network, with its custom layers."""
        from kerasviz.cli.progress import working

        with working(f"loading {self.path}"):
            net = super().load()
        remember_taps(net)
        return net


@dataclass(frozen=True)
class ModelOptions:
    """Hold the options on how a model file is read."""

    imports: tuple[str, ...] = ()
    unsafe: bool = False
    importer: str | None = None
    labels: Path | None = None
    signature: str | None = None

    def source(self, model: str, input_spec: InputSpec | None = None) -> ModelSource:
        """Describe how to load a file or zoo name."""
        labels = () if self.labels is None else read_names(self.labels)
        reading = (self.imports, self.unsafe, self.importer, input_spec, labels, self.signature)
        return ModelSource(model, *reading)

    def shown_source(self, model: str | None, input_spec: InputSpec | None = None) -> ShownSource:
        """Describe how to load a file or zoo name so that the terminal shows it."""
        return ShownSource(**vars(self.source(model or "", input_spec)))


class InputOptions(InputWords):
    """Hold the options that describe a network's input."""

    def spec(self, source: str = "command line") -> InputSpec | None:
        """Return the description, ``None`` where the options give none."""
        return super().spec(source)

    def described(self, source: Source) -> Source:
        """Return a source whose input is as the options describe it.

        A range is handed on, since it may say that three axes are those of a signal.
        """
        spec = self.spec()
        return replace(
            source,
            input_spec=spec if self.range_ is None else None,
            axes=self.axes,
            rate=self.rate,
            range_=self.range_,
            front_end=self.front_end,
        )

    def complete(self, net: Network) -> Network:
        """Return the network with the channel order, if that alone was given."""
        alone = self.channel_order if self.spec() is None else None
        return net if alone is None else net.with_channel_order(alone)


# -- decorators ------------------------------------------------------------------------------


def _packed(name: str, kind: type[Any], options: Sequence[Any]) -> Callable[[Command], Command]:
    """Make a decorator that adds options and passes them as one dataclass argument ``name``."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**arguments: Any) -> Any:
            own = {f.name: arguments.pop(f.name) for f in fields(kind) if f.name in arguments}
            return command(**arguments, **{name: kind(**own)})

        decorated: Any = run
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


labels_option = click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Names of the classes in their order: one a line, or a JSON list or mapping. Remembered "
    "for the model file.",
)

model_options = _packed(
    "model_options",
    ModelOptions,
    [
        click.option(
            "--import",
            "imports",
            metavar="MODULE",
            multiple=True,
            help="Python module with the model's own Keras layers (again for more).",
        ),
        click.option(
            "--unsafe",
            is_flag=True,
            help="Run Python code that the model file carries (Lambda layers). Only for files "
            "that you trust.",
        ),
        click.option(
            "--importer",
            type=click.Choice(IMPORTERS),
            help="Read an ONNX file by this package instead, to match what it computes.",
        ),
        labels_option,
        click.option(
            "--signature",
            metavar="NAME",
            help="Signature or function of a SavedModel. [default: serving_default, or the only "
            "one]",
        ),
    ],
)

input_options = _packed(
    "input_options",
    InputOptions,
    [
        click.option(
            "--preprocess",
            type=click.Choice(PREPROCESS),
            help="The numbers that the network takes: torchvision (ImageNet mean and deviation), "
            "inception (-1 to 1), caffe (BGR, 0 to 255 minus mean), unit (0 to 1), byte (0 to "
            "255). Needed once, where neither the model nor a file beside it says so.",
        ),
        click.option(
            "--mean",
            type=numbers_of,
            metavar="A,B,C",
            help="Mean that is subtracted, in the network's channel order and numbers: above 1 "
            "means that images are 0 to 255 (unless --preprocess says otherwise).",
        ),
        click.option(
            "--std",
            type=numbers_of,
            metavar="A,B,C",
            help="Deviation by which is then divided, likewise.",
        ),
        click.option(
            "--channel-order",
            type=click.Choice(("rgb", "bgr")),
            help="Order in which the network takes the colours.",
        ),
        click.option(
            "--range",
            "range_",
            metavar="LOW,HIGH|FILE",
            help="The numbers of signals, as -1,1, or those of a .npy, .npz or .csv file of some: "
            "lowest and highest by channel, or with FILE,sd the mean and three deviations.",
        ),
        click.option(
            "--axes",
            metavar="AXIS,...",
            help="Axes of an input that takes no images, in its own order, as batch,channel,time. "
            "[default: the likely ones]",
        ),
        click.option(
            "--rate",
            type=click.IntRange(min=1),
            metavar="HZ",
            help="Rate of signals in Hz; those of 4000 and more are sounds.",
        ),
        click.option(
            "--front-end",
            metavar="NAME|FILE.json",
            help="What turns sounds into the spectrograms that the network takes: yamnet, vggish, "
            "whisper, ast, musicnn, crepe, or a card of your own; silero-vad runs over them.",
        ),
    ],
)


def recipe_options(default: str) -> Callable[[Command], Command]:
    """Make the decorator that adds the options on recipes, of which ``default`` is usual."""
    recipe = click.option(
        "--recipe",
        default=default,
        show_default=True,
        metavar="NAME|FILE",
        shell_complete=complete_recipes,
        help="article (the paper's, 2560 steps), lucid, fast (128), vivid (160), vit (of "
        "transformers), maco (natural and transparent), with --from accentuation and deepdream, or "
        "a .json file.",
    )
    return _packed("recipe_options", RecipeOptions, [recipe, *_CHANGES])


#: The options that change a recipe.
_CHANGES = (
    click.option("--steps", type=click.IntRange(min=1), help="Updates of the image."),
    click.option(
        "--size",
        type=lengths_of,
        metavar="N|HxW",
        help="Pixels: 128, or height x width: 96x128; of signals the lengths of their axes. "
        "[default: the network's own where it takes no other, else the recipe's]",
    ),
    click.option(
        "--param",
        type=click.Choice(PARAMETERIZATIONS),
        help="What is optimized: the image's pixels, its Fourier spectrum, a pyramid of images "
        "of different sizes, one of 32 x 32 pixels that is enlarged, a small network that paints "
        "it (cppn), the phases of a spectrum with the magnitudes of photos (maco), pixels that are "
        "cut off at black and white (clip), a grey image, changes of a photo that stay small "
        "(l2-ball, linf-ball), or the spectrum of a signal.",
    ),
    click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="Numbers in which convolutions are computed. [default: auto, the fastest on this "
        "machine, or that of the folder's pictures]",
    ),
    click.option(
        "--until-converged",
        is_flag=True,
        help="End a picture before its steps are over when its score has stopped growing.",
    ),
    click.option(
        "--tile",
        type=click.IntRange(min=1),
        metavar="N",
        help="Let the network see tiles of N x N pixels, for pictures of thousands of pixels.",
    ),
)

spectrum_option = click.option(
    "--spectrum",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Photos: pictures of the recipe maco have the magnitudes of their spectrum. [default: "
    "those built in]",
)

alpha_option = click.option(
    "--alpha",
    is_flag=True,
    help="Transparent pictures: only what the targets need is opaque.",
)

recorded_model_option = click.option(
    "--model", help="The model file or name. [default: the one that DIR names]"
)

seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 2),
    default=0,
    show_default=True,
    help="Number of the noise to start from; the same seed gives the same picture.",
)


def unit_picture_options(command: Command) -> Command:
    """Add the options on pictures of units that pages show small."""
    options = (
        click.option(
            "--recipe",
            default="fast",
            show_default=True,
            metavar="NAME|FILE",
            shell_complete=complete_recipes,
            help="How the pictures are optimized.",
        ),
        click.option("--steps", type=click.IntRange(min=1), help="Updates of the pictures."),
        click.option(
            "--size",
            type=size_of,
            metavar="N|HxW",
            help="Pixels of the pictures. [default: 96]",
        ),
        seed_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Arrays by the names of the model's inputs beside the image, one row for all pictures. Of "
    "several images the one that it leaves out is optimized.",
)


def image_pass_options(what: str) -> Callable[[Command], Command]:
    """Make the decorator that adds the options on a pass over images, which ``what`` names."""
    options = (
        click.option(
            "--batch",
            type=click.IntRange(min=1),
            default=32,
            show_default=True,
            metavar="N",
            help=f"{what.capitalize()} that are computed at once.",
        ),
        click.option(
            "--limit", type=click.IntRange(min=1), metavar="N", help=f"The first N {what} only."
        ),
        click.option(
            "--size",
            type=size_of,
            metavar="N|HxW",
            help=f"Pixels of the {what}. [default: what the network was trained for, else 224]",
        ),
    )

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON instead of text, for scripts."
)
