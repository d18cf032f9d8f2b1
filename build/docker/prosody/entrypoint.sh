#!/bin/sh
# Certificates for a day, the service accounts, what the environment adds to the configuration; then Prosody.
# Names of the variables are those of docker-jitsi-meet, so that both flavours are configured alike.
set -eu

mkdir -p /data/certs /data/config
for host in meet.jitsi auth.meet.jitsi; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host" -keyout "/data/certs/$host.key" -out "/data/certs/$host.crt" 2>/dev/null
done

# "a,b" -> "a", "b",
quoted() {
    printf '%s' "$1" | tr -s ', ' '\n' | sed '/^$/d; s/.*/"&",/' | tr '\n' ' '
}
sed -e "s/--\[\[GLOBAL_MODULES\]\]/$(quoted "${GLOBAL_MODULES:-}")/" \
    -e "s/--\[\[XMPP_MODULES\]\]/$(quoted "${XMPP_MODULES:-}")/" \
    -e "s/--\[\[XMPP_MUC_MODULES\]\]/$(quoted "${XMPP_MUC_MODULES:-}")/" \
    -e "s/--\[\[LOG_LEVEL\]\] \"info\"/\"${LOG_LEVEL:-info}\"/" \
    /etc/prosody/prosody.cfg.lua >/data/config/prosody.cfg.lua

# As upstream's templates do: GLOBAL_CONFIG has \n between lines, the others have commas.
{
    printf '%b\n' "${GLOBAL_CONFIG:-}"
    printf 'VirtualHost "meet.jitsi"\n'
    printf '%s\n' "${XMPP_CONFIGURATION:-}" | tr , '\n'
    printf 'Component "muc.meet.jitsi" "muc"\n'
    printf '%s\n' "${XMPP_MUC_CONFIGURATION:-}" | tr , '\n'
} >/data/config/environment.cfg.lua

if ! [ -e /data/service-accounts ]; then # still there when the container was only started anew
    prosodyctl --config /data/config/prosody.cfg.lua register focus auth.meet.jitsi "$JICOFO_AUTH_PASSWORD" >/dev/null
    prosodyctl --config /data/config/prosody.cfg.lua register jvb auth.meet.jitsi "$JVB_AUTH_PASSWORD" >/dev/null
    # Jicofo announces itself to mod_client_proxy, as after 'prosodyctl shell roster subscribe_both' (while Prosody runs).
    mkdir -p /data/auth%2emeet%2ejitsi/roster
    echo 'return { ["focus.meet.jitsi"] = { subscription = "both", groups = {} }, [false] = { version = 1 } }' \
        >/data/auth%2emeet%2ejitsi/roster/focus.dat
    touch /data/service-accounts
fi
exec prosody --config /data/config/prosody.cfg.lua -F
