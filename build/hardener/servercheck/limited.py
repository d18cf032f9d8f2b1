"""The check of a server within limits of time and memory: a small configuration can ask for any amount of both.

The readers have limits of their own, which name the file. These here are for what is left: combinations.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from typing import TYPE_CHECKING

from hardener.errors import UsageError
from hardener.servercheck import check as unlimited
from hardener.servercheck.readers import syntax

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    from hardener.servercheck.check import Checked

SECONDS = 5  # of the processor; a large server takes one
MEMORY = 250 << 20  # bytes; a large server takes 60 million


def check(paths: Sequence[Path], vouched: Sequence[str] = ()) -> Checked:
    """Check a deployment as :func:`hardener.servercheck.check.check` does, in a process of its own.

    Raises what that raises, and UsageError for a deployment that takes more time or memory than the limits.
    """
    context = multiprocessing.get_context("forkserver")  # not fork: the terminal's display has a thread
    context.set_forkserver_preload([__name__])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, tuple(paths), tuple(vouched), SECONDS, MEMORY))
    process.start()
    sender.close()
    try:
        found: Checked | Exception = receiver.recv()
    except EOFError:
        raise UsageError(
            f"the check takes more than {SECONDS} seconds or {MEMORY >> 20} MB: this is not a configuration in use",
            hint="name the folder of the deployment itself, without what else is in it",
        ) from None
    finally:
        receiver.close()
        process.terminate()
        process.join()
    if isinstance(found, Exception):
        raise found
    return found


def _run(sender: Connection, paths: tuple[Path, ...], vouched: tuple[str, ...], seconds: int, memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends this process
    syntax.limit_process(seconds, memory)
    found: Checked | Exception
    try:
        found = unlimited.check(paths, vouched)
    except MemoryError:
        return
    except Exception as error:  # noqa: BLE001 (the caller raises it)
        error.add_note(traceback.format_exc())
        found = error
    sender.send(found)
