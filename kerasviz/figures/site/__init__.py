"""Writing figures as HTML pages."""
