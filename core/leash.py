"""Becomes the given program, bound to the life of the process that started it.

Run as a script by `core.children.spawn`, never imported: `python leash.py PARENT_PID SIGNAL UID GID PROGRAM ARG…`.
It drops root for UID:GID (-1 keeps the user), asks the kernel for SIGNAL when the parent dies (Linux; elsewhere
the next start finds what is left over), and then replaces itself by PROGRAM, so the process id stays the same.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent_pid: int, signal_number: int, uid: int, gid: int, argv: list[str]) -> None:
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user: the kernel forgets the request when credentials change.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent_pid:  # it died before the request was heard
            sys.exit(1)
    try:
        os.execv(argv[0], argv)  # noqa: S606  # replacing this process is the purpose
    except OSError as error:
        sys.exit(f"cannot run {argv[0]}: {error.strerror}")


if __name__ == "__main__":
    parent, signal_to_get, user, group, *program = sys.argv[1:]
    main(int(parent), int(signal_to_get), int(user), int(group), program)
