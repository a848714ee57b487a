"""Uploaded models: screened, inspected in a sandbox, kept."""
