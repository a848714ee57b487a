"""Photos of two kinds in folders of classes, and a folder of pictures of a small network."""

from support.trust_fixtures import class_photos, pictures

__all__ = ["class_photos", "pictures"]
