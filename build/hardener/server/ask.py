"""Small questions that the rules ask of a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardener.server.model import Table, strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.server.model import Deployment, Prosody, Section, Setting


# Providers that ask each person for a login of their own. https://prosody.im/doc/authentication and upstream's plugins.
PERSONAL = frozenset(
    "internal_hashed internal_plain cyrus ldap ldap2 ldap_custom token sql sql_hashed dovecot imap pam http custom_http"
    " external matrix_user_verification hybrid_matrix_token oauthbearer oauth_external".split()
)
TOKEN = frozenset({"token", "hybrid_matrix_token"})
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_true(setting: Setting | None) -> bool:
    """Set, and to true."""
    return setting is not None and setting.value is True


def is_false(setting: Setting | None) -> bool:
    """Set, and to false."""
    return setting is not None and setting.value is False


def words(value: Any) -> Iterator[str]:
    """All strings in a value, keys included, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Table):
        yield from value.fields
        for one in (*value.items, *value.fields.values()):
            yield from words(one.value)


def outside(setting: Setting | None) -> bool:
    """Whether a list of interfaces reaches beyond this machine; not set is everything."""
    names = {one.value for one in strings(setting)}
    return setting is None or not names or not names <= LOOPBACK


def modules_told(prosody: Prosody, section: Section) -> bool:
    """Whether all modules of the section are known; if not, that has been told, and none is missed."""
    lists = [prosody.own(section, "modules_enabled"), prosody.own("*", "modules_enabled")]
    return all(one is None or (isinstance(one.value, Table) and one.value.complete) for one in lists)


def main_host(prosody: Prosody) -> Section | None:
    """The VirtualHost that people are meant to log in to: the one that has the rooms, or the mapper's base, or BOSH."""
    base = prosody.get("*", "muc_mapper_domain_base")
    for test in (
        lambda host: base is not None and host.name == base.value,
        lambda host: "main_muc" in host.settings and {"bosh", "websocket"} & set(prosody.modules(host)),
        lambda host: {"bosh", "websocket"} & {one.value for one in strings(host.settings.get("modules_enabled"))},
    ):
        found = next((host for host in prosody.hosts if test(host)), None)
        if found is not None:
            return found
    return None


def rooms(prosody: Prosody) -> list[Section]:
    """The Components that hold the rooms of meetings: those of Prosody's muc that are not named as something else."""
    main = main_host(prosody)
    named = prosody.own(main, "main_muc") if main else None
    mucs = [one for one in prosody.components if one.module == "muc"]
    if named is not None and any(one.name == named.value for one in mucs):
        return [one for one in mucs if one.name == named.value]
    return [one for one in mucs if not one.name.startswith(("internal", "lobby.", "breakout."))]


def jicofo_authenticates(deployment: Deployment) -> bool | None:
    """Whether Jicofo asks who somebody is before it makes them moderator; None: no Jicofo configuration at hand."""
    if deployment.jicofo is None:
        return None
    enabled = deployment.jicofo.get("jicofo.authentication.enabled")
    kind = deployment.jicofo.get("jicofo.authentication.type")
    return is_true(enabled) and kind is not None and str(kind.value).upper() in {"XMPP", "JWT"}
