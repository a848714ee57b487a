"""Bytes in and out: files, images, downloads and remote storage."""
