"""The messages of requests and answers, for validation and the OpenAPI page."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kerasviz.optvis.objectives.facets import WEIGHT
from kerasviz.types import Param

Side = Annotated[int, Field(ge=1, le=4096)]
PhotoId = Annotated[str, Field(max_length=40)]
#: Photos with which pictures are compared, at most.
MOST_PHOTOS = 500
#: The name of a class, which a folder can have.
ClassName = Annotated[str, Field(pattern=r"^\w[\w .,'()-]{0,99}$")]
#: The name of a facet: letters, digits, blanks and ``_ . -``, which files can be named by.
FacetName = Annotated[str, Field(pattern=r"^\w[\w .-]{0,39}$")]
Kind = Literal["channel", "neuron", "negative", "diversity"]
State = Literal["accepted", "running", "done", "failed", "cancelled"]


class Error(BaseModel):
    """An error of one line."""

    error: str


class Listed(BaseModel):
    """A network that is served; ``error`` tells why it could not be loaded."""

    name: str
    title: str
    layers: int
    classes: int
    loaded: bool
    error: str | None = None


class LayerSummary(BaseModel):
    """A layer with units; its shape is height, width, channels at the usual image size."""

    name: str
    tap: str
    op: str
    shape: list[int]
    units: int | None
    inputs: list[str]
    main: bool


class RecipeRow(BaseModel):
    """A recipe: the settings of an optimization; ``summary`` says what it is for.

    Those with ``photo`` are for pictures that start from one.
    """

    name: str
    summary: str
    photo: bool
    steps: int
    size: list[int]


class PictureSettings(BaseModel):
    """The settings of requests for pictures."""

    recipe: str
    steps: int
    size: int | None = None


class Filling(BaseModel):
    """The settings of pictures that the page requests itself: ``rough`` and then ``good`` ones."""

    rough: PictureSettings
    good: PictureSettings


class NetworkPage(BaseModel):
    """The description of a network."""

    name: str
    title: str
    description: str
    licence: str
    format: str
    sha256: str
    input: dict[str, Any]
    classes: int
    first_class: int = Field(0, description="Units of the last layer before those of the classes.")
    layers: list[LayerSummary]
    recipes: list[RecipeRow]
    params: list[str]
    examples: bool
    filling: Filling | None = None
    commands: dict[str, str] = Field({}, description="What makes data for empty panels.")


class UnitRow(BaseModel):
    """A unit of a layer with its picture, if finished, and the steps of that."""

    unit: int
    label: str | None
    picture: str | None
    steps: int | None = None


class LayerPage(BaseModel):
    """Some units of a layer; ``pace`` is the seconds of a step at a pixel of its pictures."""

    layer: LayerSummary
    units: list[UnitRow]
    pace: float | None = None


class Snapshot(BaseModel):
    """A picture after a step of its optimization."""

    step: int
    url: str


class BesideFile(BaseModel):
    """A file beside a picture that has its numbers, or what it sounds like."""

    kind: Literal["npy", "csv", "wav", "gif", "txt", "json"]
    url: str


class UnitPictureData(BaseModel):
    """A finished picture of a unit, and what ``seconds`` it took where that is known.

    One of kind ``facet`` is steered towards the photos of ``facet``.
    """

    kind: Kind | Literal["facet"]
    facet: str = ""
    seconds: float | None = None
    snapshots: list[Snapshot] = []
    recipe: str
    steps: int
    seed: int
    row: int
    file: str
    url: str
    score: float | None
    provenance: str
    command: str
    beside: list[BesideFile] = Field([], description="Its numbers; none beside images.")
    trust: list[tuple[str, str]] = Field([], description="How far it can be trusted, in words.")


class ExampleRow(BaseModel):
    """A dataset image to which the unit responds."""

    bucket: str
    value: float
    image: str
    url: str


class UnitPage(BaseModel):
    """A unit: its pictures, examples, and neighbours."""

    layer: str
    unit: int
    label: str | None
    pictures: list[UnitPictureData]
    examples: list[ExampleRow]
    statistics: bool = Field(False, description="Whether there is a spectrum of its activations.")
    previous: int | None
    next: int | None


class TopUnit(BaseModel):
    """A unit, its mean activation, and its best picture with the steps of that."""

    unit: int
    value: float
    label: str | None
    picture: str | None = None
    steps: int | None = None


class Activations(BaseModel):
    """The most active units of a layer for an image, and the map of the requested unit."""

    shape: list[int]
    top: list[TopUnit]
    map: list[list[float]] | None


class RenderRequest(BaseModel):
    """Pictures to render; targets such as ``LAYER:UNIT`` are those of ``kerasviz render``."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    network: str = Field(max_length=200)
    targets: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        min_length=1, max_length=64, examples=[["block3b:7"]]
    )
    kind: Kind = "channel"
    recipe: str = Field("fast", max_length=40)
    size: Side | Annotated[list[Side], Field(min_length=2, max_length=2)] | None = None
    steps: int | None = Field(None, ge=1, le=2**31 - 2)
    seed: int = Field(0, ge=0, le=2**31 - 6)
    balance: bool = Field(False, description="Divide each term of a sum by what it reaches alone.")
    loop_layers: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        [], max_length=64, description="Layers whose units share one compiled loop."
    )
    param: Param | None = Field(None, description="What is optimized, if not what the recipe says.")
    alpha: bool = Field(False, description="Make transparent pictures.")
    from_: list[PhotoId] | None = Field(
        None,
        alias="from",
        min_length=1,
        max_length=16,
        description="Photos from which the pictures start, each the id that /api/photos gave it.",
    )
    style: str | None = Field(
        None, max_length=40, description="A photo whose style the target ``style`` takes: its id."
    )
    spectrum: list[PhotoId] | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Photos whose spectrum pictures of the recipe ``maco`` have, by their ids.",
    )
    facets: dict[FacetName, Annotated[list[PhotoId], Field(max_length=200)]] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description="Photos by the name of a facet: each picture is followed by one for every "
        "facet, steered towards its photos and away from those of the others.",
        examples=[{"water": ["0123456789abcdef"], "grass": ["fedcba9876543210"]}],
    )
    facet_weight: float = Field(
        WEIGHT, ge=-100, le=100, allow_inf_nan=False, description="How strongly facets steer."
    )
    snapshots: list[Annotated[int, Field(ge=0)]] = Field(
        [], max_length=16, description="Steps whose pictures are kept, too; 0 is the noise."
    )


class TrustRequest(BaseModel):
    """Finished pictures of a network, and what they are compared with.

    Two pictures of one target are compared with each other, too.
    """

    model_config = ConfigDict(extra="forbid")

    network: str = Field(max_length=200)
    pictures: list[Annotated[str, Field(max_length=200)]] = Field(
        min_length=1,
        max_length=64,
        description="The ``file`` of each, as jobs and units list it.",
        examples=[["block3b-7.png"]],
    )
    photos: list[PhotoId] | dict[ClassName, list[PhotoId]] | None = Field(
        None, description="Photos by their ids, or by the names of the classes that they show."
    )
    judge: str | None = Field(
        None, max_length=200, description="A second network that is asked which class it sees."
    )
    tap: str | None = Field(
        None, max_length=500, description="The layer in which pictures are compared."
    )

    @property
    def by_class(self) -> dict[str, list[str]]:
        """The photos by their classes, "" for those of none."""
        photos = self.photos or {}
        return photos if isinstance(photos, dict) else {"": photos}

    @model_validator(mode="after")
    def _check_count(self) -> TrustRequest:
        count = sum(map(len, self.by_class.values()))
        if count > MOST_PHOTOS:
            raise ValueError(f"{count} photos; send at most {MOST_PHOTOS}")
        return self


class ExamplesRequest(BaseModel):
    """A folder of images that was sent, to be searched for what the units of a network respond to.

    Images in subfolders have the name of their first folder as class; without two of them the
    classes are those that the network predicts.
    """

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(max_length=40, description="The id under which its images were sent.")
    name: str = Field("photos", max_length=100, description="What it is called.")


class ExamplesSummary(BaseModel):
    """What a search found: numbers of images, units and classes, and the images that it left out.

    ``unreadable`` images cannot be read, ``names`` are the first of them; the activations of
    ``odd`` ones are not finite.
    """

    name: str
    images: int
    units: int
    classes: int
    unreadable: int
    odd: int
    names: list[str]


class LatentRow(BaseModel):
    """Whether a latent of an autoencoder is on in a picture, at the position where it is strongest.

    ``code`` is what its gate lets through there, ``rank`` its place among all ``latents`` before
    the gate, ``share`` that of the positions at which it is on.
    """

    target: str
    tap: str
    latent: int
    on: bool
    code: float
    rank: int
    latents: int
    share: float


class Finished(BaseModel):
    """A finished picture: row ``row`` of a job, and its ``file`` among those of the network."""

    target: str
    row: int
    recipe: str | None = None
    file: str
    url: str
    provenance: str
    score: float | None
    term_scores: dict[str, float] = Field({}, description="Those of the terms of a sum.")
    alone: dict[str, float] = Field({}, description="What those of a balanced sum reach alone.")
    snapshots: list[Snapshot] = Field([], description="Earlier steps of a picture from a photo.")
    mask: str | None = Field(
        None, description="Where the score depended on a photo most: a grey picture."
    )
    beside: list[BesideFile] = Field([], description="Its numbers; none beside images.")
    latents: list[LatentRow] = Field([], description="Whether latents are on that it shows.")
    facets: dict[str, float] = Field(
        {}, description="What the probe of each facet says: above 0 as of one of its photos."
    )
    sha256: str


class TrustRow(BaseModel):
    """How far a picture can be trusted: ``rows`` of names and words, and all ``numbers``."""

    file: str
    target: str
    url: str
    rows: list[tuple[str, str]]
    numbers: dict[str, Any]


class TrustNumbers(BaseModel):
    """What a job of /api/trust found: the numbers of each picture, means, and what is missing."""

    pictures: list[TrustRow]
    summary: dict[str, Any]
    notes: list[str]


class JobStatus(BaseModel):
    """A job of ``rows`` pictures; those in ``pictures`` are finished.

    A job of /api/trust has ``trust`` in their place, one of a folder of images ``examples``.
    """

    id: str
    state: State
    network: str
    request: dict[str, Any]
    created: float
    ended: float | None
    position: int | None
    step: int
    steps: int
    fraction: float
    score: float | None
    rows: int
    targets: list[str]
    pictures: list[Finished]
    trust: TrustNumbers | None
    examples: ExamplesSummary | None = None
    previews: list[Preview]
    error: str | None
    url: str
    events: str


class Preview(BaseModel):
    """A preview of a row."""

    row: int
    url: str


JobStatus.model_rebuild()
