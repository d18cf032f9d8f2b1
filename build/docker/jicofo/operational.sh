#!/bin/sh
# Succeed only if Jicofo is connected to Prosody, and a bridge is, too.
set -eu

curl -fsS --max-time 3 http://127.0.0.1:8888/stats | grep -q '"operational_bridge_count":1'
