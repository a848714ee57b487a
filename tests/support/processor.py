"""What the processor of the tests can do."""

from __future__ import annotations

from kerasviz.network.processor import processor_flags

#: Whether it has instructions for sums of products of bytes; other systems than Linux list none.
VNNI = not processor_flags() or bool({"avx512_vnni", "avx_vnni"} & processor_flags())
