"""The atlas: pictures of every unit of a network, made by many workers in one storage."""
