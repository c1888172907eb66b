"""What to do about a folder that cannot be written to, by the reason that the system gives."""

from __future__ import annotations

import errno

from cluster.state_folder import STATE_ENV

_BY_ERRNO = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or have the quota raised",
    errno.EACCES: "give this user the right to write there",
    errno.EPERM: "give this user the right to write there",
    errno.EROFS: "its file system is mounted read-only: mount it for writing",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away",
    errno.EEXIST: "a file stands where a folder is needed: move it away",
    errno.EISDIR: "a folder stands where a file is needed: move it away",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EIO: "its disk is failing: see `dmesg`",
}


def what_to_do(refused: OSError) -> str:
    """What to do, as the end of a sentence; that another folder can be chosen is true of every
    reason."""
    other = f"set {STATE_ENV} to a folder that can be written"
    first = _BY_ERRNO.get(refused.errno or 0)
    return other if first is None else f"{first}, or {other}"
