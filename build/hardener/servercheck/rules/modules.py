"""Effects of loaded Prosody modules on login, roles and stored data, by name.

Prosody's own of 0.12 and 13 (https://prosody.im/doc/modules), upstream's (jitsi-meet resources/prosody-plugins), what
docker-jitsi-meet's templates load besides, and this project's. A module that is in none of these lists is reported: it
may do anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.servercheck.model import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.servercheck.model import Deployment, Where

# Make accounts in a browser, or by an address that a person was given: https://modules.prosody.im
WEB_ACCOUNTS = frozenset({"register_web"})
WEB_INVITATIONS = frozenset("invites_register_web invites_register_api invites_api invites_page easy_invite".split())
# Keep, or write into the log, what people write.
ARCHIVES = frozenset("mam mam_muc muc_mam muc_log muc_log_http muc_log_mysql stanza_debug scansion_record".split())
# Each of these is judged by its name in one of the rules: what it opens is known.
JUDGED = frozenset(
    "admin_rest admin_telnet admin_web debug_traceback http_admin_api http_host_status_check http_upload_external"
    " invites_adhoc invites_register log_ringbuffer muc_allowners muc_census muc_known_stanzas muc_named_hosts"
    " muc_poltergeist muc_size muc_wait_for_host register register_ibr rest test_observer test_observer_http"
    " even_logins token_affiliation visitors visitors_component".split()
)
# Neither let a person in nor give a role, nor answer outsiders beyond what their name says. auth_, authz_ and storage_
# modules are named by options, and judged there.
PLAIN = frozenset(
    # Prosody
    "account_activity adhoc admin_adhoc admin_shell admin_socket announce blocklist bookmarks bosh c2s carbons"
    " cloud_notify component cron csi csi_simple dialback disco external_services flags groups http http_altconnect"
    " http_errors http_file_share http_files http_openmetrics invites iq lastactivity legacyauth limits message"
    " mimicking motd muc muc_unique offline pep pep_plus pep_simple ping posix presence private proxy65 pubsub"
    " register_limits roster s2s s2s_auth_certs s2s_auth_dane_in s2s_bidi saslauth server_contact_info server_info"
    " smacks time tls tokenauth tombstones turn_external unknown uptime user_account_management vcard vcard4"
    " vcard_legacy version watchregistrations websocket welcome windows"
    # upstream's, and what its images add
    " auth_cyrus av_moderation av_moderation_component certs_s2soutinjection client_proxy conference_duration"
    " conference_duration_component end_conference features_identity filesharing_component filter_iq_jibri"
    " filter_iq_rayo filter_messages http_health jibri_session jiconop jitsi_permissions jitsi_session limits_exception"
    " matrix_power_sync measure_message_count measure_stanza_counts muc_auth_ban muc_breakout_rooms muc_call"
    " muc_cleanup_backend_services muc_displayname muc_domain_mapper muc_end_meeting muc_filter_access"
    " muc_hide_all muc_jigasi_invite muc_kick_participant muc_limit_messages muc_lobby_rooms muc_max_occupants"
    " muc_meeting_id muc_password_check muc_password_whitelist muc_rate_limit muc_resource_validate persistent_lobby"
    " polls polls_component poltergeist_component presence_identity rate_limit reservations room_destroy room_metadata"
    " room_metadata_component roster_command s2s_whitelist s2sout_override secure_interfaces short_lived_token"
    " speakerstats speakerstats_component system_chat_message token_verification turncredentials turncredentials_http"
    # ours
    " closed_to_web directory_logins".split()
)
KNOWN = PLAIN | JUDGED | ARCHIVES | WEB_ACCOUNTS | WEB_INVITATIONS
KINDS = (
    (WEB_ACCOUNTS, "registration-open", "creates accounts for every visitor of its page"),
    (WEB_INVITATIONS, "registration-by-invitation", "makes accounts from a page"),
    (ARCHIVES, "messages-kept", "keeps what people write"),
)


def check(deployment: Deployment) -> Iterator[Hit]:
    """Yield all findings about which modules are loaded; each line of a configuration once."""
    prosody = deployment.prosody
    seen: set[tuple[str, Where]] = set()
    for section in prosody.active if prosody else ():
        place = "everywhere" if section.kind == "global" else f"{section.kind} {section.name}"
        for name, where in prosody.modules(section).items() if prosody else ():
            if (name, where) in seen:
                continue
            seen.add((name, where))
            names = {"host": section.name, "module": name}
            for group, kind, what in KINDS:
                if name in group:
                    yield Hit(kind, where, f"mod_{name} {what} ({place})", names)
            if name not in KNOWN:
                yield Hit("module-unknown", where, f"mod_{name} is loaded ({place})", names)
