"""Token embeddings to fewer: what a chunk keeps of its rows.

pooling = load_pooling({"kind": "hierarchical", "pool_factor": 2})
fewer = pooling(embeddings)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from late_rag.specs import PoolingSpec

if TYPE_CHECKING:
    from late_rag.protocols import TokenPooling

__all__ = ["load_pooling"]


def load_pooling(options: Mapping[str, Any] | None) -> TokenPooling | None:
    """The pooling that the options describe, or None where nothing is pooled.

    Args:
        options: what ``TokenPooling.options()`` returned or a user wrote: ``kind`` and the parameters of its class,
            such as ``{"kind": "hierarchical", "pool_factor": 2}``. None, or no options at all, pools nothing.

    Raises:
        InputError: an unknown kind or parameter, or an impossible value.
    """
    if not options:
        return None
    spec = PoolingSpec.of({"kind": "hierarchical", **options})
    return cast("TokenPooling", spec.backend()(**spec.checked()))
