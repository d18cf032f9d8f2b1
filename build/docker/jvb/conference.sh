#!/bin/sh
# Succeed once the bridge has opened a conference: on a busy machine, its first one takes longer than the 15 seconds after
# which Jicofo gives the bridge up for a minute.
set -eu

bridge=http://127.0.0.1:8080
curl -fsS -o /dev/null "$bridge/about/health"
if [ ! -e /tmp/opened ]; then
    conferences="$bridge/colibri/v2/conferences"
    curl -fsS -o /dev/null --json @/conference.json "$conferences"
    curl -fsS -o /dev/null --json '{"expire": true}' --request PATCH "$conferences/first"
    touch /tmp/opened
fi
