admins = { "focus@auth.meet.jitsi", "jvb@auth.meet.jitsi" }
plugin_paths = { "/prosody-plugins-custom", "/prosody-plugins/", "/prosody-plugins-contrib" }
muc_mapper_domain_base = "meet.jitsi";
consider_bosh_secure = true;
VirtualHost "meet.jitsi"
    authentication = "internal_hashed"
    disable_sasl_mechanisms={ "DIGEST-MD5", "OAUTHBEARER" }
    modules_enabled = { "bosh"; "features_identity"; "websocket"; "smacks"; }
    main_muc = "muc.meet.jitsi"
    c2s_require_encryption = true
    disable_sasl_mechanisms = { "PLAIN"; "DIGEST-MD5"; "OAUTHBEARER" }
VirtualHost "auth.meet.jitsi"
    modules_enabled = { "limits_exception"; "smacks"; }
    authentication = "internal_hashed"
Component "internal-muc.meet.jitsi" "muc"
    modules_enabled = { "muc_hide_all"; "muc_filter_access"; }
    restrict_room_creation = true
    muc_filter_whitelist="auth.meet.jitsi"
Component "muc.meet.jitsi" "muc"
    restrict_room_creation = true
    modules_enabled = { "muc_hide_all"; "muc_meeting_id"; "muc_known_stanzas"; }
    muc_room_default_public_jids = true
Component "focus.meet.jitsi" "client_proxy"
    target_address = "focus@auth.meet.jitsi"
