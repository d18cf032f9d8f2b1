-- The XMPP server of the local test stack: personal accounts, no guests, no anonymous provider.
-- Hosts, components and limits are those that docker-jitsi-meet's templates of the pinned release give with
-- ENABLE_AUTH=1 AUTH_TYPE=internal ENABLE_GUESTS=0, with PLAIN turned off as docs/operator.md asks for.

-- Lists and values are written out, so that check-server can read them. Where a variable may change one, a comment with its
-- name is at the place: entrypoint.sh writes the value in.

plugin_paths = { "/prosody-plugins-custom", "/prosody-plugins" }
pidfile = "/tmp/prosody.pid"
data_path = "/data"
certificates = "/data/certs"
log = { { levels = { min = --[[LOG_LEVEL]] "info" }, to = "console" } }

modules_enabled = {
    "roster", "saslauth", "tls", "disco", "private", "limits", "version", "ping", "admin_shell",
    --[[GLOBAL_MODULES]]
}
modules_disabled = { "offline", "register", "s2s" }
allow_registration = false

authentication = "internal_hashed"
disable_sasl_mechanisms = { "PLAIN", "DIGEST-MD5", "OAUTHBEARER" }
admins = { "focus@auth.meet.jitsi", "jvb@auth.meet.jitsi" }
unlimited_jids = { "focus@auth.meet.jitsi", "jvb@auth.meet.jitsi" }
component_admins_as_room_owners = true

c2s_require_encryption = true
c2s_ports = { 5222 }
component_ports = {}
http_ports = { 5280 }
http_interfaces = { "*" }
https_ports = {}
http_default_host = "meet.jitsi"
consider_bosh_secure = true
consider_websocket_secure = true
trusted_proxies = { "127.0.0.1", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16" }

smacks_max_unacked_stanzas = 5
smacks_hibernation_time = 60
smacks_max_old_sessions = 1
muc_mapper_domain_base = "meet.jitsi"
muc_mapper_domain_prefix = "muc"

VirtualHost "meet.jitsi"
    ssl = { key = "/data/certs/meet.jitsi.key", certificate = "/data/certs/meet.jitsi.crt" }
    modules_enabled = {
        "bosh", "websocket", "smacks", "features_identity", "conference_duration", "muc_lobby_rooms", "muc_breakout_rooms",
        --[[XMPP_MODULES]]
    }
    main_muc = "muc.meet.jitsi"
    lobby_muc = "lobby.meet.jitsi"
    breakout_rooms_muc = "breakout.meet.jitsi"

VirtualHost "auth.meet.jitsi"
    ssl = { key = "/data/certs/auth.meet.jitsi.key", certificate = "/data/certs/auth.meet.jitsi.crt" }
    modules_enabled = { "limits_exception", "smacks", "closed_to_web" }
    smacks_hibernation_time = 15

Component "internal-muc.meet.jitsi" "muc"
    storage = "memory"
    modules_enabled = { "muc_hide_all", "muc_filter_access" }
    muc_filter_whitelist = "auth.meet.jitsi"
    restrict_room_creation = true
    muc_room_locking = false
    muc_room_default_public_jids = true
    muc_tombstones = false
    muc_room_allow_persistent = false

Component "muc.meet.jitsi" "muc"
    storage = "memory"
    modules_enabled = {
        "muc_hide_all", "muc_meeting_id", "muc_domain_mapper", "muc_password_whitelist", "muc_resource_validate",
        "muc_known_stanzas",
        --[[XMPP_MUC_MODULES]]
    }
    restrict_room_creation = true
    muc_room_locking = false
    muc_room_default_public_jids = true
    muc_password_whitelist = { "focus@auth.meet.jitsi" }
    muc_tombstones = false
    muc_room_allow_persistent = false

Component "lobby.meet.jitsi" "muc"
    storage = "memory"
    modules_enabled = { "muc_hide_all", "muc_known_stanzas" }
    restrict_room_creation = true
    muc_room_locking = false
    muc_room_default_public_jids = true
    muc_tombstones = false
    muc_room_allow_persistent = false

Component "breakout.meet.jitsi" "muc"
    storage = "memory"
    modules_enabled = { "muc_hide_all", "muc_meeting_id", "muc_known_stanzas" }
    restrict_room_creation = true
    muc_room_locking = false
    muc_room_default_public_jids = true
    muc_tombstones = false
    muc_room_allow_persistent = false

Component "focus.meet.jitsi" "client_proxy"
    target_address = "focus@auth.meet.jitsi"

Component "speakerstats.meet.jitsi" "speakerstats_component"
    muc_component = "muc.meet.jitsi"

Component "endconference.meet.jitsi" "end_conference"
    muc_component = "muc.meet.jitsi"

Component "avmoderation.meet.jitsi" "av_moderation_component"
    muc_component = "muc.meet.jitsi"

Component "polls.meet.jitsi" "polls_component"

Component "metadata.meet.jitsi" "room_metadata_component"
    muc_component = "muc.meet.jitsi"
    breakout_rooms_component = "breakout.meet.jitsi"

Include "/data/config/environment.cfg.lua"
