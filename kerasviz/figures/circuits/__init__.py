"""Pages of circuits: units, what they are built from, and what they feed."""
