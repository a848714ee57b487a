"""Gather the trust numbers of the pictures of a folder, one kind after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import Source
from kerasviz.examples.finished_pictures import by_size, class_of, finished_pictures
from kerasviz.examples.measured import TOGETHER, Measured, measured
from kerasviz.examples.trust.natural import STRONGEST, natural_values
from kerasviz.examples.trust.numbers import (
    NaturalValues,
    cross_cosine,
    mean_cosine,
    spectrum_slope,
)
from kerasviz.examples.trust.overlap import overlaps
from kerasviz.examples.trust.paths import FEWEST, LayerPaths, PhotoSets, layer_vectors, path_layers
from kerasviz.examples.trust.psychophysics import Embedding, choosers, photo_choices
from kerasviz.examples.trust.summary import Record, finite
from kerasviz.examples.trust.transfer import (
    check_judge,
    guesses,
    judge_class,
    seen_size,
    shown_to,
)
from kerasviz.network.network import Network
from kerasviz.rendering.adapting import last_with_positions
from kerasviz.rendering.sizes import usual_size
from kerasviz.rendering.store import Store
from kerasviz.types import Array, Size


@dataclass(frozen=True)
class TrustOptions:
    """Hold what a folder of pictures is compared with.

    ``tap`` is the layer of the agreement, ``judge_tap`` that of the judge by which pictures choose
    between photos; of the source of photos the first ``limit`` are read, ``batch`` at once, in a
    ``size``. ``files`` are the pictures that are compared, by default all.
    """

    images: Source | None
    judge: Network | None
    tap: str | None
    judge_tap: str | None
    batch: int
    limit: int | None
    size: Size | None
    files: Collection[str] | None = None

    @property
    def photos(self) -> int:
        """The number of photos to read."""
        if self.images is None:
            return 0
        return len(self.images) if self.limit is None else min(self.limit, len(self.images))


class Assessment:
    """Gather the numbers of a folder's pictures, one kind after the other."""

    def __init__(self, store: Store, options: TrustOptions):
        self.options, self.net = options, store.net
        self.folder = store.folder
        self.pictures = finished_pictures(store, options.files)
        self.records: dict[str, Record] = {
            p.entry.file: {"sha256": p.entry.sha256, "target": p.request.text}
            for p in self.pictures
        }
        self.notes: list[str] = []
        self.subjects: dict[str, list[int]] = {}
        for number, picture in enumerate(self.pictures):
            self.subjects.setdefault(picture.subject, []).append(number)
        self.tap = options.tap or last_with_positions(self.net)
        self.vectors: Array | None = None
        self.embedding: Embedding | None = None
        self.classes_judged = options.judge is not None

    def check(self) -> None:
        """Raise :class:`UsageError` where nothing can be computed, before anything is."""
        options = self.options
        if options.tap is not None:
            self.net.taps[options.tap]  # says which names are near
        if not self.agreeing and options.images is None and options.judge is None:
            raise UsageError(
                f"{str(self.folder)!r} has one picture of each target, and agreement needs two: "
                "render with another --seed, or give --images DIR or --judge MODEL"
            )
        if options.judge_tap is not None and (options.judge is None or options.images is None):
            raise UsageError(
                f"judge_tap {options.judge_tap!r}: the layer of a judge by which it tells photos "
                "apart; give --judge MODEL and --images DIR too"
            )
        if options.judge is None:
            return
        if options.images is not None:  # it has something else to do
            self.embedding = Embedding.of(options.judge, options.judge_tap)
        try:
            check_judge(self.net, options.judge, self._classes())
        except UsageError as error:
            if options.images is None:
                raise
            self.notes.append(f"transfer: {error}")
            self.classes_judged = False

    @property
    def agreeing(self) -> bool:
        """Whether there are two pictures of a target, which can be compared with each other."""
        return any(len(numbers) > 1 for numbers in self.subjects.values())

    def _classes(self) -> list[int]:
        found = (class_of(picture.request, self.net) for picture in self.pictures)
        return sorted({number for number in found if number is not None})

    def _add(self, number: int, name: str, record: Record) -> None:
        self.records[self.pictures[number].entry.file][name] = record

    # -- agreement ---------------------------------------------------------------------------

    def agree(self) -> None:
        """Compare the pictures of each target with each other, and with those of other targets."""
        several = {s: numbers for s, numbers in self.subjects.items() if len(numbers) > 1}
        if not several:
            self.notes.append(
                "agreement needs two pictures of a target: render with another --seed"
            )
            return
        if self.tap is None:
            self.notes.append("agreement needs a layer with positions: name one with --tap")
            return
        batches = partial(by_size, self.pictures, self.net.channels, TOGETHER)
        self.vectors = layer_vectors(self.net, self.tap, batches)
        for subject, numbers in several.items():
            own = self.vectors[numbers]
            cosine = mean_cosine(own)
            if cosine is None:
                self.notes.append(f"agreement: {self.tap} is 0 in a picture of a target")
                continue
            recipe = self.pictures[numbers[0]].request.recipe
            others = [
                n
                for n, picture in enumerate(self.pictures)
                if picture.subject != subject and picture.request.recipe == recipe
            ]
            record = {
                "tap": self.tap,
                "cosine": finite(cosine),
                "pictures": len(numbers),
                "other_targets": finite(cross_cosine(own, self.vectors[others])),
            }
            for number in numbers:
                self._add(number, "agreement", dict(record))

    # -- transfer ----------------------------------------------------------------------------

    def transfer(self, judge: Network) -> None:
        """Ask another network which class it sees."""
        wanted: list[tuple[int, int, int]] = []
        for number, picture in enumerate(self.pictures):
            of = class_of(picture.request, self.net)
            theirs = None if of is None else judge_class(self.net, judge, of)
            if of is not None and theirs is not None:
                wanted.append((number, of, theirs))
            elif of is not None:
                shown = self.net.classes.describe(of)
                self.notes.append(f"transfer: {judge.name} has no class {shown}")
        pictures = [self.pictures[number] for number, *_ in wanted]
        as_seen, as_made = (
            shown_to(judge, pictures, TOGETHER),
            shown_to(self.net, pictures, TOGETHER),
        )
        seen = guesses(judge, as_seen, [theirs for *_, theirs in wanted])
        own = guesses(self.net, as_made, [of for _, of, _ in wanted])
        for (number, _, theirs), guess, itself in zip(wanted, seen, own, strict=True):
            record = {
                "judge": judge.name,
                "sha256": judge.identity.sha256,
                "class": judge.classes.describe(theirs),
                "place": guess.place,
                "probability": finite(guess.probability),
                "first": judge.classes.describe(guess.first),
                "classes": judge.class_count,
                "own_place": itself.place,
                "size": list(seen_size(judge, self.pictures[number].size)),
            }
            self._add(number, "transfer", record)

    # -- photos ------------------------------------------------------------------------------

    def compare(self, source: Source, report: Callable[[float, str], None]) -> None:
        """Compare pictures with photos: activations, ways through the layers and spectra."""
        options, images = self.options, self.options.photos
        groups = measured(self.net, self.pictures, options.size, usual_size(self.net))
        share = 0.6

        def read(seen: int) -> None:
            report(0.1 + share * seen / max(1, images), f"{seen} of {images} photos")

        found = natural_values(groups, source, options.batch, images, read)
        photos = {
            "name": Path(source.label).name,
            "identity": source.identity,
            "images": found.images,
            "unreadable": found.unreadable,
            "not_finite": found.odd,
        }
        strongest: dict[int, list[int]] = {}
        natural_of: dict[int, tuple[NaturalValues, int]] = {}
        for group, natural in zip(groups, found.values, strict=True):
            for row, number in enumerate(group.rows):
                strongest[number] = natural.numbers[row, :STRONGEST].tolist()
                natural_of[number] = natural, row
                best = strongest[number][0]
                record = {
                    "measured": "strongest position" if group.at_positions else "score",
                    "activation": finite(natural.values[row]),
                    "largest": finite(natural.best[row, 0]),
                    "strongest": source.name(best) if best >= 0 else None,
                    "ratio": finite(natural.ratio(row)),
                    "average_ratio": finite(natural.average_ratio(row)),
                    "percentile": finite(natural.percentile(row)),
                    "photos": natural.count,
                    "size": list(group.size),
                    "source": photos,
                }
                self._add(number, "natural", record)
        if found.unreadable:
            self.notes.append(f"{found.unreadable} photos could not be read")
        if found.odd:
            self.notes.append(f"{found.odd} photos gave activations that are not finite")
        self._follow(source, strongest, lambda part: report(0.7 + 0.2 * part, "layers"))
        report(0.9, "inputs")
        self._compare_inputs(groups, source, strongest)
        if self.embedding is not None:
            report(0.95, f"showing photos to {self.embedding.judge.name}")
            self._choose_photos(self.embedding, source, natural_of)

    def _follow(
        self,
        source: Source,
        strongest: Mapping[int, Sequence[int]],
        report: Callable[[float], None],
    ) -> None:
        """Compare the ways of pictures through the layers with those of photos, and spectra."""
        sets = PhotoSets(self.net, source, tuple(range(self.options.photos)))
        by_pixels: dict[Size, list[list[int]]] = {}
        for numbers in self.subjects.values():
            by_pixels.setdefault(self.pictures[numbers[0]].size, []).append(numbers)
        done, few = 0, False
        for pixels, subjects in by_pixels.items():
            paths = LayerPaths(self.net, path_layers(self.net, pixels), source, pixels)
            self._photo_agreement(paths, sets)
            for numbers in subjects:
                few |= not self._follow_subject(paths, sets, numbers, strongest)
                done += 1
                report(done / len(self.subjects))
        if few:
            self.notes.append(
                f"likeness to photos needs {FEWEST} photos of the kind and {FEWEST} others"
            )

    def _follow_subject(
        self,
        paths: LayerPaths,
        sets: PhotoSets,
        numbers: Sequence[int],
        strongest: Mapping[int, Sequence[int]],
    ) -> bool:
        """Follow the pictures of one target; return whether there were enough photos."""
        of = class_of(self.pictures[numbers[0]].request, self.net)
        kind, same, others = sets.of(of, strongest.get(numbers[0], ()))
        compared = bool(same)
        for number in numbers:
            image = self.pictures[number].pixels(self.net.channels)
            layers = paths.compare(image, same, others) if same else {}
            if layers:
                record = {
                    "kind": kind,
                    "photos": len(same),
                    "others": len(others),
                    "layers": {
                        name: {key: finite(value) for key, value in asdict(layer).items()}
                        for name, layer in layers.items()
                    },
                }
                self._add(number, "paths", record)
            self._slope(paths, number, image, [*same, *others] or sets.usable[:STRONGEST])
        paths.forget([n for n in same if n not in others])
        return compared

    def _slope(self, paths: LayerPaths, number: int, image: Array, photos: Sequence[int]) -> None:
        own, slopes = spectrum_slope(image), paths.slopes(photos)
        if own is not None and len(slopes) > 1:
            record = {
                "slope": finite(own),
                "photos": finite(float(np.mean(slopes))),
                "spread": finite(float(np.std(slopes))),
            }
            self._add(number, "spectrum", record)

    def _photo_agreement(self, paths: LayerPaths, sets: PhotoSets) -> None:
        """Add how much photos agree with each other, beside the agreement of pictures."""
        if self.vectors is None or self.tap is None:
            return
        found = map(paths.pixels, sets.usable[: 2 * STRONGEST])
        drawn = [image for image in found if image is not None]
        if len(drawn) < 2:
            return

        def batches() -> Iterator[tuple[list[int], Array]]:
            for number, image in enumerate(drawn):
                yield [number], image[None]

        cosine = mean_cosine(layer_vectors(self.net, self.tap, batches))
        for number, picture in enumerate(self.pictures):
            record = self.records[picture.entry.file].get("agreement")
            if record is not None and picture.size == paths.size:
                self._add(number, "agreement", {**record, "photos": finite(cosine)})

    def _compare_inputs(
        self, groups: Sequence[Measured], source: Source, strongest: Mapping[int, Sequence[int]]
    ) -> None:
        """Compare the inputs that contribute to units in pictures with those in photos."""
        sets = PhotoSets(self.net, source, tuple(range(self.options.photos)))
        for group in groups:
            for number, found in overlaps(self.net, group, source, sets, strongest).items():
                numbers = {key: finite(value) for key, value in asdict(found.inputs).items()}
                record = {"layer": found.layer, **numbers, "units": found.inputs.units}
                self._add(number, "inputs", {**record, "strongest": found.photos})

    def _choose_photos(
        self,
        embedding: Embedding,
        source: Source,
        natural: Mapping[int, tuple[NaturalValues, int]],
    ) -> None:
        """Let a judge choose between photos by the pictures of targets and their opposites."""
        sides = choosers(self.pictures)
        if not sides:
            self.notes.append(
                "choices between photos need pictures of the opposite: render the same targets "
                "with --negative too, best with --diversity 9 both times"
            )
            return
        found = photo_choices(embedding, self.pictures, sides, natural, source)
        if not found:
            self.notes.append("choices between photos need 8 photos, and a unit that they excite")
        for number, choices in found.items():
            shown, photos = choices.by_pictures, choices.by_photos
            record = {
                "judge": embedding.judge.name,
                "sha256": embedding.judge.identity.sha256,
                "tap": embedding.tap,
                "probability": finite(shown.probability),
                "right": shown.right,
                "pairs": shown.pairs,
                "pictures": list(choices.pictures),
                "photos": finite(photos.probability),
                "photos_right": photos.right,
                "photos_a_side": choices.photos,
            }
            self._add(number, "choices", record)
