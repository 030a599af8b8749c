"""Whether an error of the system says that there is no room left."""

from __future__ import annotations

import errno

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def has_no_room(error: BaseException | None) -> bool:
    """A full disk, a quota that is used up, or a file that is as large as it may be."""
    return isinstance(error, OSError) and error.errno in _FULL
