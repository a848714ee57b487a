"""Jobs: stored, queued, and rendered by workers."""
