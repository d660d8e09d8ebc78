"""Commands that are killed when the process that started them dies, however it dies.

Without this a download or a conversion would go on after its worker was killed, and write into
the folder that the next worker has taken over.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def tethered(command: Sequence[str]) -> list[str]:
    """Return the command line that runs this command tied to the calling process."""
    return [sys.executable, __file__, str(os.getpid()), *command]


def main() -> None:
    """Become the command that follows the parent's process id on the command line."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the line above; then nobody waits for the command.
    if os.getppid() == parent:
        os.execvp(command[0], command)


if __name__ == "__main__":
    main()
