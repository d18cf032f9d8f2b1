#!/bin/sh
# Run the check of an image. After a success, the next check comes 30 seconds later: each starts processes in its container,
# and Docker before version 25 has a single interval, which has to be short for a stack to start quickly.
set -eu

succeeded="${TMPDIR:-/tmp}/healthy"
if [ -e "$succeeded" ]; then
    sleep 30
    rm -f "$succeeded"
fi
"$@"
touch "$succeeded"
