"""Fill the templates of the notebook: fragments that need no script and no other file."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2


def fill(template: str, **values: Any) -> str:
    """Fill a template of ``templates/``; all values are escaped."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("kerasviz.rendering.notebook", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
