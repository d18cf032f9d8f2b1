"""Run one hardener command and write when which of its programs ran: ``traced.py RESULT.json VERB [OPTION ...]``."""

from __future__ import annotations

import json
import logging
import resource
import sys
from pathlib import Path

from hardener.cli import main as cli

# A word of the command line -> whose time it is. Everything else (copying, linking, deriving the packages) is ours.
OURS = "hardener"
KINDS = (
    ("npm-cli.js", "npm"),
    ("bundle.cjs", "bundler"),
    ("rollup.mjs", "bundler"),
    ("bin/tsc", "type checker"),
    ("make", "upstream's make deploy"),
    ("git", "git"),
)


def kind(command: str) -> str:
    """Return whose time a command's is.

    >>> kind("/x/bin/node /y/npm-cli.js ci"), kind("git apply -"), kind("cp --archive a b")
    ('npm', 'git', 'hardener')
    """
    words = command.split(" ")[:4]  # program, a recipe's flags, script; file names behind that may hold anything
    for mark, name in KINDS:
        if words[0].rsplit("/", 1)[-1] == mark or any(word.endswith("/" + mark) for word in words):
            return name
    return OURS


def union(spans: list[tuple[float, float]]) -> float:
    """Return the seconds that are in at least one of the intervals.

    >>> union([(0, 2), (1, 3), (5, 6)])
    4.0
    """
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


class _Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.spans: dict[str, list[tuple[float, float]]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        # hardener.system.process logs ("%s (in %s): status %d, %.2f s", command, folder, status, seconds) when a
        # program has ended.
        if isinstance(record.args, tuple) and len(record.args) == 4:
            command, seconds = str(record.args[0]), float(str(record.args[3]))
            self.spans.setdefault(kind(command), []).append((record.created - seconds, record.created))


def main() -> int:
    """Run the command; returns its exit code."""
    result, *argv = sys.argv[1:]
    recorder = _Recorder()
    log = logging.getLogger("hardener.system.process")
    log.setLevel(logging.DEBUG)
    log.addHandler(recorder)
    log.propagate = False
    status = cli.main(argv)
    own = resource.getrusage(resource.RUSAGE_SELF)
    spans = {name: spans for name, spans in recorder.spans.items() if name != OURS}
    answer = {
        "seconds": {name: union(some) for name, some in spans.items()},
        "programs": sum(len(some) for some in recorder.spans.values()),
        "outside": union([span for some in spans.values() for span in some]),
        "own_cpu": own.ru_utime + own.ru_stime,
    }
    Path(result).write_text(json.dumps(answer), "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
