#!/bin/sh
# Add the roles, as docs/operator.md says: a file of build/server, or with auto-owner nothing, as after the installation.
set -eu

# docker-jitsi-meet takes both spellings.
flag() {
    case "$1" in true) echo 1 ;; false) echo 0 ;; *) echo "$1" ;; esac
}

cp /etc/jitsi/jicofo/jicofo.conf /tmp/jicofo.conf
case "$(flag "$JICOFO_ENABLE_AUTH") $(flag "$ENABLE_AUTO_OWNER")" in
    "0 0") roles=named-hosts ;;
    "1 0") roles=logged-in ;;
    "0 1") roles= ;;
    *) echo "JICOFO_ENABLE_AUTH and ENABLE_AUTO_OWNER are 0, 1, true or false, and not both 1" >&2; exit 2 ;;
esac
if [ -n "$roles" ]; then
    sed 's/meet\.example\.org/meet.jitsi/' "/etc/jitsi/jicofo/roles/$roles.conf" >>/tmp/jicofo.conf
fi
export JAVA_SYS_PROPS="-Dconfig.file=/tmp/jicofo.conf" JICOFO_MAX_MEMORY=256m
exec /usr/share/jicofo/jicofo.sh
