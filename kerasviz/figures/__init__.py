"""The article's figures for any network: catalogue, layout, drawing and site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerasviz.figures.catalogue.article import CATALOGUE as CATALOGUE
from kerasviz.figures.catalogue.articles import FIGURES as FIGURES
from kerasviz.figures.catalogue.figure import Figure as Figure

if TYPE_CHECKING:
    from kerasviz.figures.make import FigureSet as FigureSet
    from kerasviz.figures.make import make_figures as make_figures


def __getattr__(name: str) -> Any:
    if name in ("FigureSet", "make_figures"):  # these import TensorFlow, a list of figures does not
        from kerasviz.figures import make

        return getattr(make, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
