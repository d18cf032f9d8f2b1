"""Syntax trees by tree-sitter, within a limit of time and memory.

Some broken texts take tree-sitter their length squared, and it asks in between too seldom whether to go on. So a text
of some length is parsed in a process of its own first, which the system ends after its share of the processor, or of
memory.
"""

from __future__ import annotations

import functools
import importlib
import multiprocessing
import os
import resource
from typing import TYPE_CHECKING

from tree_sitter import Language, Parser

if TYPE_CHECKING:
    from tree_sitter import Tree

SECONDS = 2  # of the processor
MEMORY = 200 << 20  # bytes
SMALL = 2_000  # bytes that take less than that, whatever they are


@functools.lru_cache(maxsize=1)  # several readers ask for the same file, one after the other
def parse(grammar: str, text: bytes) -> Tree | None:
    """Return the tree of a text; None: it would take too much. ``grammar`` is the module, such as ``tree_sitter_lua``.

    A process that cannot be started (OSError) is an error: without it there is no limit.
    """
    if len(text) > SMALL and not _in_time(grammar, text):
        return None
    return Parser(_language(grammar)).parse(text)


@functools.cache
def _language(grammar: str) -> Language:
    return Language(importlib.import_module(grammar).language())


def _in_time(grammar: str, text: bytes) -> bool:
    context = multiprocessing.get_context("forkserver")  # not fork: the terminal's display has a thread
    context.set_forkserver_preload([__name__])
    trial = context.Process(target=_try, args=(grammar, text), daemon=True)
    trial.start()
    trial.join()
    in_time = trial.exitcode == 0
    trial.close()
    return in_time


def limit_process(seconds: int, memory: int) -> None:
    """Let this process end when it takes more: seconds of the processor from now on, bytes of memory in all."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until, until))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # Python and tree-sitter print that there is no more memory


def _try(grammar: str, text: bytes) -> None:
    limit_process(SECONDS, MEMORY)
    Parser(_language(grammar)).parse(text)
