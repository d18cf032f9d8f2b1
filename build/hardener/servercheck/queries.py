"""Small questions that the rules ask of a deployment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hardener.servercheck.model import Table, strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.servercheck.model import Deployment, Prosody, Section, Setting


# Providers that ask each person for a login of their own. https://prosody.im/doc/authentication and upstream's plugins.
PERSONAL = frozenset(
    "internal_hashed internal_plain cyrus ldap ldap2 ldap_custom token sql sql_hashed dovecot imap pam http custom_http"
    " external matrix_user_verification hybrid_matrix_token oauthbearer oauth_external".split()
)
TOKEN = frozenset({"token", "hybrid_matrix_token"})
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# How the Component is called where bridges report to Jicofo: Debian's packages, docker-jitsi-meet.
SERVICE_ROOMS = ("internal.", "internal-muc.")


SERVICES = re.compile(r"^(focus|jvb|jicofo|jigasi|jibri|recorder|transcriber)\d*@")
# What placeholders, examples and names are made of. A secret that is made of nothing else was not drawn at random.
WORDS = (
    "account admin administrator app application auth bar base baz bit bits bridge byte bytes change changeme"
    " characters chars component compose conference coturn default demo deploy deployment dev development"
    " docker docs dragon dummy empty enter example external fixme focus foo for from generate generated hello"
    " here hex hmac hunter insert jibri jicofo jigasi jitsi jvb jwt key keys least letmein local localhost long"
    " meet meeting minimum monkey must new none not null openssl our pass passw passwd password passwort"
    " placeholder please private prod production prosody public put qwerty rand random recorder replace"
    " replaceme root sample secret secrets secure server service set sha shall shared should signing some"
    " staging string strong super tbd test testing that the this todo token tokens top transcriber turn use"
    " user value very video welcome with world xmpp you your youshallnotpass"
).split()
WORD = re.compile("|".join(sorted(WORDS, key=len, reverse=True)))
PLACEHOLDER = re.compile(
    r"change.?(?:me|this|it\b)|replace.?(?:me|this|with)|placeholder|^<.*>$|\{\{|^\$\{|xxxx|abcdefg|1234567890"
)
LEET = str.maketrans("013457@$!", "oleastasi")
LEFT = 6  # characters beyond words, at least
UNIT = 4  # characters that are repeated, at most


# How Prosody reads a switch (core/moduleapi.lua, get_option_boolean), and how Jicofo's library does ("Automatic type
# conversions" in https://github.com/lightbend/config/blob/main/HOCON.md): both take text for it.
PROSODY = {True: frozenset({"true"}), False: frozenset({"false"})}
HOCON = {True: frozenset({"true", "yes", "on"}), False: frozenset({"false", "no", "off"})}


def guessable(secret: str) -> bool:
    """Return whether a secret is a placeholder, an example or a pattern.

    >>> guessable("CHANGE_ME_GENERATED_SECRET"), guessable("your-256-bit-secret"), guessable("aaaaaaaaaaaaaaaaaaaa")
    (True, True, True)
    >>> guessable("3f0b8f3b1a5f4c6d9e2a7c5b8d1e4f60"), guessable("correct-horse-battery-staple")
    (False, False)
    """
    text = secret.strip().lower()
    if PLACEHOLDER.search(text) or any(text == (text[:size] * len(text))[: len(text)] for size in range(1, UNIT + 1)):
        return True
    few_digits = sum(map(str.isdigit, text)) * 4 <= len(text)
    forms = [text.translate(LEET), *([re.sub(r"\d", "", text)] if few_digits else [])]
    return any(len(re.sub(r"[\W_]", "", WORD.sub(" ", form))) < LEFT for form in forms)


def is_true(setting: Setting | None) -> bool:
    """Set, and surely to true: for switches that protect."""
    return _switch(setting, PROSODY) is True


def is_false(setting: Setting | None) -> bool:
    """Set, and surely to false: for switches that open something."""
    return _switch(setting, PROSODY) is False


def may_be_true(setting: Setting | None) -> bool:
    """Set, and not surely to false."""
    return setting is not None and setting.value is not None and not is_false(setting)


def may_be_false(setting: Setting | None) -> bool:
    """Set, and not surely to true."""
    return setting is not None and setting.value is not None and not is_true(setting)


def hocon_switch(settings: dict[str, Setting] | None, key: str) -> bool | None:
    """Return a switch of Jicofo's; None: it is not set, or to something that is neither on nor off."""
    return _switch((settings or {}).get(key), HOCON)


def _switch(setting: Setting | None, names: dict[bool, frozenset[str]]) -> bool | None:
    value = setting.value if setting else None
    if isinstance(value, bool):
        return value
    if names is PROSODY and value in {0, 1}:
        return bool(value)
    return next((on for on, texts in names.items() if isinstance(value, str) and value in texts), None)


def words(value: Any) -> Iterator[str]:
    """Yield all strings in a value, keys included, however deep; those of a table that is in it several times once."""
    seen: set[int] = set()
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, Table) and id(part) not in seen:
            seen.add(id(part))
            yield from part.fields
            stack += [item.value for item in reversed((*part.items, *part.fields.values()))]


def outside(setting: Setting | None) -> bool:
    """Return whether a list of interfaces reaches beyond this machine; not set is everything."""
    names = {string.value for string in strings(setting)}
    return setting is None or not names or not names <= LOOPBACK


def modules_known(prosody: Prosody, section: Section) -> bool:
    """Return whether all modules of the section are known; if not, that has been reported, and none is missed."""
    lists = [prosody.own(section, "modules_enabled"), prosody.own("*", "modules_enabled")]
    return all(setting is None or (isinstance(setting.value, Table) and setting.value.complete) for setting in lists)


def main_host(prosody: Prosody) -> Section | None:
    """Return the VirtualHost that people are meant to log in to: the one that has the rooms, or the mapper's base, or
    BOSH.
    """
    base = prosody.get("*", "muc_mapper_domain_base")
    for test in (
        lambda host: base is not None and host.name == base.value,
        lambda host: "main_muc" in host.settings and {"bosh", "websocket"} & set(prosody.modules(host)),
        lambda host: {"bosh", "websocket"} & {string.value for string in strings(host.settings.get("modules_enabled"))},
    ):
        found = next((host for host in prosody.hosts if test(host)), None)
        if found is not None:
            return found
    return None


def main_rooms(prosody: Prosody) -> list[Section]:
    """Return the Components that hold the rooms of meetings: those of Prosody's muc that are not named as something
    else.
    """
    main = main_host(prosody)
    named = prosody.own(main, "main_muc") if main else None
    mucs = [component for component in prosody.components if component.module == "muc"]
    if named is not None and any(muc.name == named.value for muc in mucs):
        return [muc for muc in mucs if muc.name == named.value]
    return [muc for muc in mucs if not muc.name.startswith((*SERVICE_ROOMS, "lobby.", "breakout."))]


def all_rooms(prosody: Prosody) -> list[Section]:
    """Return all Components of Prosody's muc that people may enter: breakout rooms, the lobby and whatever else there
    is.

    Not those where the services meet, which only they may enter (the finding service-rooms-open).
    """
    main = [main_room.name for main_room in main_rooms(prosody)]
    mucs = [component for component in prosody.components if component.module == "muc"]
    return [muc for muc in mucs if muc.name in main or not muc.name.startswith(SERVICE_ROOMS)]


def jicofo_authenticates(deployment: Deployment) -> bool | None:
    """Return whether Jicofo asks who a person is before it makes them moderator; None: no Jicofo configuration at
    hand.
    """
    if deployment.jicofo is None:
        return None
    enabled = hocon_switch(deployment.jicofo, "jicofo.authentication.enabled")
    kind = deployment.jicofo.get("jicofo.authentication.type")
    return enabled is True and kind is not None and str(kind.value).upper() in {"XMPP", "JWT"}
