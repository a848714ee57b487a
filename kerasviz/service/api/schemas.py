"""The messages of requests and answers, for validation and the OpenAPI page."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kerasviz.types import Param

Side = Annotated[int, Field(ge=1, le=4096)]
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
    layers: list[LayerSummary]
    recipes: list[RecipeRow]
    params: list[str]
    examples: bool
    filling: Filling | None = None


class UnitRow(BaseModel):
    """A unit of a layer with its picture, if finished, and the steps of that."""

    unit: int
    label: str | None
    picture: str | None
    steps: int | None = None


class LayerPage(BaseModel):
    """Some units of a layer."""

    layer: LayerSummary
    units: list[UnitRow]


class UnitPictureData(BaseModel):
    """A finished picture of a unit."""

    kind: Kind
    recipe: str
    steps: int
    seed: int
    row: int
    url: str
    score: float | None
    provenance: str
    command: str


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
    previous: int | None
    next: int | None


class SearchMatch(BaseModel):
    """A result of a search."""

    kind: Literal["class", "layer", "unit"]
    layer: str
    unit: int | None
    label: str | None


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
    param: Param | None = Field(None, description="What is optimized, if not what the recipe says.")
    alpha: bool = Field(False, description="Make transparent pictures.")
    from_: list[Annotated[str, Field(max_length=40)]] | None = Field(
        None,
        alias="from",
        min_length=1,
        max_length=16,
        description="Photos from which the pictures start, each the id that /api/photos gave it.",
    )
    style: str | None = Field(
        None, max_length=40, description="A photo whose style the target ``style`` takes: its id."
    )


class Snapshot(BaseModel):
    """A picture after a step of its optimization."""

    step: int
    url: str


class Finished(BaseModel):
    """A finished picture: row ``row`` of a job."""

    target: str
    row: int
    recipe: str | None = None
    url: str
    provenance: str
    score: float | None
    term_scores: dict[str, float] = Field({}, description="Those of the terms of a sum.")
    alone: dict[str, float] = Field({}, description="What those of a balanced sum reach alone.")
    snapshots: list[Snapshot] = Field([], description="Earlier steps of a picture from a photo.")
    mask: str | None = Field(
        None, description="Where the score depended on a photo most: a grey picture."
    )
    sha256: str


class JobStatus(BaseModel):
    """A job of ``rows`` pictures; those in ``pictures`` are finished."""

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
    previews: list[Preview]
    error: str | None
    url: str
    events: str


class Preview(BaseModel):
    """A preview of a row."""

    row: int
    url: str


JobStatus.model_rebuild()
