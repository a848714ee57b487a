"""What notebooks show of results, networks and running work; imported when one asks."""

from kerasviz.rendering.notebook.progress import progress_display as progress_display
from kerasviz.rendering.notebook.views import to_html as to_html

__all__ = ["progress_display", "to_html"]
