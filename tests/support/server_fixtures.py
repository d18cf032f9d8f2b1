"""Copies of the hardened servers in ``server_files`` and mistakes to plant in them, one at a time."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

HERE = Path(__file__).parents[1] / "server_files"
NGINX = Path(__file__).parents[2] / "build" / "nginx"
HOST = "prosody/conf.avail/meet.example.org.cfg.lua"
MAIN = "prosody/prosody.cfg.lua"
JICOFO = "jitsi/jicofo/jicofo.conf"
SITE = "nginx/sites-enabled/meet.example.org.conf"
CONFIG = "jitsi/meet/meet.example.org-config.js"


def clean(form: str, folder: Path) -> Path:
    """Return a copy of the hardened server of that form; Debian's with its link and our nginx files."""
    target = shutil.copytree(HERE / form, folder / form)
    if form == "debian":
        (target / "prosody/conf.d").mkdir()
        # As jitsi-meet-prosody makes it: the link is absolute, and has to be found inside a copy, too.
        (target / "prosody/conf.d/meet.example.org.cfg.lua").symlink_to(
            "/etc/prosody/conf.avail/meet.example.org.cfg.lua"
        )
        shutil.copytree(NGINX, target / "nginx/hardener")
    return target


def stock(folder: Path) -> Path:
    """Return the hardened server within an ``/etc`` as Debian installs it: files of other programs, folders that are
    empty.
    """
    root = clean("debian", folder)
    for name in ("nginx/modules-enabled", "nginx/conf.d", "nginx/sites-available"):
        (root / name).mkdir(exist_ok=True)
    (root / "nginx/modules-enabled/50-mod-http-echo.conf").symlink_to("/usr/share/nginx/modules-available/echo.conf")
    (root / "nginx/nginx.conf").write_text(
        "user www-data;\ninclude /etc/nginx/modules-enabled/*.conf;\nevents { worker_connections 768; }\n"
        "http {\n    include /etc/nginx/mime.types;\n    access_log /var/log/nginx/access.log;\n    gzip on;\n"
        "    include /etc/nginx/conf.d/*.conf;\n    include /etc/nginx/sites-enabled/*;\n}\n"
    )
    (root / "mke2fs.conf").write_text("[fs_types]\n    ext4 = {\n        features = y\n    }\n")
    (root / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    (root / "shadow").write_text("root:$y$j9T$notreal:20000:0:99999:7:::\n")
    (root / "conf.d").mkdir()  # of OpenRC
    (root / "conf.d/own.conf").write_text("opts={\n")
    (root / "conf.d/own.cfg.lua").write_text('VirtualHost "foreign" { authentication = "anonymous" }\n')
    return root


def forbid(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system refuse to read the folder, as it refuses a user other than root with mode 0."""
    folder.mkdir(parents=True, exist_ok=True)
    scandir, stat = os.scandir, os.stat

    def listed(path: str) -> object:
        return refuse(path) if Path(path) == folder else scandir(path)

    def known(path: str | int, **options: Any) -> object:
        return refuse(path) if isinstance(path, str | Path) and folder in Path(path).parents else stat(path, **options)

    def refuse(path: str | Path) -> object:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))

    monkeypatch.setattr(os, "scandir", listed)
    monkeypatch.setattr(os, "stat", known)


@dataclass(frozen=True)
class Plant:
    """Replace ``old`` in ``file`` (the end of the file if empty) by ``new``: ``id`` has to be found where ``mark`` is.

    ``mark`` is text of the planted line; empty: the first planted line. None: the finding has no line (nothing is set).
    """

    id: str
    form: str
    file: str
    old: str
    new: str
    mark: str | None = ""

    more: tuple[str, str] | None = None
    search: str = "down"

    def also(self, file: str, text: str) -> Plant:
        """Return the mistake with text to append to a second file."""
        return replace(self, more=(file, text))

    def up(self) -> Plant:
        """Search ``mark`` above the planted text."""
        return replace(self, search="up")

    def first(self, mark: str) -> Plant:
        """Search the first ``mark`` of the file."""
        return replace(self, mark=mark, search="first")

    def anywhere(self) -> Plant:
        """Return the mistake without a check of its line."""
        return replace(self, search="anywhere")

    def __str__(self) -> str:
        return f"{self.form}-{self.id}"

    def plant(self, root: Path) -> int | None:
        """Plant it; returns the line where it has to be found, 0 if there is none, None if it does not matter."""
        if self.more:
            other = root / self.more[0]
            other.write_text(other.read_text(encoding="utf-8") + self.more[1], encoding="utf-8")
        path = root / self.file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert self.old in text, f"{self.old!r} is not in {self.file}: fix the test"
        start = text.index(self.old) if self.old else len(text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text[:start] + self.new + text[start + len(self.old) :], encoding="utf-8")
        after = path.read_text(encoding="utf-8")
        if self.mark is None or self.search == "anywhere":
            return 0 if self.search == "down" else None
        at = {
            "down": lambda mark: after.index(mark, start),
            "up": lambda mark: after.rindex(mark, 0, start),
            "first": after.index,
        }[self.search](self.mark)
        return after.count("\n", 0, at) + 1


def debian(kind: str, file: str, old: str, new: str, mark: str | None = "") -> Plant:
    return Plant(kind, "debian", file, old, new, mark)


def docker(kind: str, new: str, old: str = "", mark: str | None = "") -> Plant:
    return Plant(kind, "docker", ".env", old, new, mark)


LOGIN = 'authentication = "internal_hashed"\n    modules_enabled = { "bosh"'
INTERNAL = 'authentication = "internal_hashed"'
TOKEN = 'authentication = "token"\n    app_secret = "0123456789abcdef0123456789abcdef"'
MUC = '"muc_hide_all"; "muc_meeting_id"; '
SERVER = "    access_log off;\n"
SECOND = "server {{\n    listen 8443 ssl;\n    location {0} {{ proxy_pass http://127.0.0.1:{1}; }}\n}}\n"
STREAM = """events { }
stream {
    server { listen 8443; proxy_pass 127.0.0.1:8888; }
}
http { include sites-enabled/*; }
"""
ROOMS = 'Component "conference.meet.example.org" "muc"\n'
BREAKOUT = 'Component "breakout.meet.example.org" "muc"\nrestrict_room_creation = true\n'
LOBBY = """"muc_hide_all" }

Component "internal"""
JWT = "AUTH_TYPE=jwt\nJWT_APP_SECRET=0123456789abcdef0123456789abcdef"
GUEST = 'VirtualHost "guest.example.org" { authentication = "anonymous" }\n'
COMPOSE = "docker-compose.yml"
LDAP = "AUTH_TYPE=ldap\n"
LDAPS = LDAP + "LDAP_URL=ldaps://ldap.example.org/\n"
DIRECTORY = 'authentication = "ldap"\n    '
HOSTED = 'VirtualHost "meet.example.org"\nauthentication = "ldap"\nldap_server = "ldap.example.org"\n'
CYRUS = 'VirtualHost "meet.example.org"\nauthentication = "cyrus"\n'
OWNER_OFF = "jicofo.conference.enable-auto-owner = false\n"
AUTH_OFF = "jicofo.authentication.enabled = false\n"

DOORS = (
    debian("ldap-names-not-checked", HOST, INTERNAL, 'authentication = "ldap2"'),
    debian("anonymous-login", HOST, LOGIN, LOGIN.replace("internal_hashed", "jitsi-anonymous")),
    debian("anonymous-login", HOST, LOGIN, "anonymous_login = true\n    " + LOGIN),
    debian("guest-vhost", HOST, "", GUEST),
    debian("guest-vhost", HOST, "", 'VirtualHost "g.example.org"\n  authentication = "jitsi-anonymous"\n', "auth"),
    debian("guest-vhost", "prosody/conf.d/more.cfg.lua", "", GUEST),
    debian("shared-login", HOST, LOGIN, LOGIN.replace("internal_hashed", "jitsi-shared-secret")),
    debian("empty-token", HOST, INTERNAL, TOKEN + "\n    allow_empty_token = true", "allow_empty"),
    debian("empty-token", HOST, INTERNAL, TOKEN + '\n    allow_empty_token = "true"', "allow_empty"),
    debian("empty-token", HOST, INTERNAL, TOKEN + "\n    allow_empty_token = 1", "allow_empty"),
    debian("anonymous-login", HOST, LOGIN, 'anonymous_login = "yes"\n    ' + LOGIN),
    debian("token-secret-weak", HOST, INTERNAL, 'authentication = "token"\n    app_secret = "secret"', "app_secret"),
    debian("token-key-cleartext", HOST, INTERNAL, TOKEN + '\n    asap_key_server = "http://k.example.org"', "asap_key"),
    debian(
        "registration-open",
        MAIN,
        '"register" }\nallow_registration = false',
        '"s2s" }\nmodules_enabled = { "saslauth"; "register" }\nallow_registration = true',
        "allow_registration",
    ),
    debian("registration-open", HOST, '"bosh"; "websocket"', '"register_ibr"; "bosh"; "websocket"'),
    debian("registration-open", HOST, '"bosh"; "websocket"', '"register_web"; "bosh"; "websocket"'),
    debian("module-unknown", HOST, MUC, MUC + '"muc_defaults"; '),
    debian("module-unknown", MAIN, '"admin_shell"; ', '"admin_shell"; "home_made"; '),
    debian("module-unknown", HOST, "", 'Component "x.example.org" "home_made"\n'),
    docker("module-unknown", "XMPP_MODULES=home_made\n"),
    debian("role-for-everybody", HOST, ROOMS, ROOMS + '    host_user_role = "prosody:admin"\n', "host_user"),
    debian("role-for-everybody", MAIN, "modules_disabled", 'default_user_role = "prosody:operator"\nmodules_disabled'),
    debian("cannot-tell", MAIN, "modules_disabled", 'public_user_role = "own"\nmodules_disabled'),
    debian(
        "cannot-tell",
        HOST,
        ROOMS,
        ROOMS + '    add_permissions = { ["prosody:registered"] = { ":create-room" } }\n',
        "add_p",
    ),
    debian("cannot-tell", MAIN, "modules_disabled", 'authorization = "own"\nmodules_disabled'),
    debian("s2s-open", MAIN, '"s2s"; ', "", None),
    debian("visitors", HOST, "", 'Component "visitors.meet.example.org" "visitors_component"\n'),
    debian("visitors", JICOFO, "", "jicofo { visitors { enabled = true } }\n"),
    debian("visitors", JICOFO, "", 'jicofo.visitors.enabled = "on"\n'),
    debian(
        "jaas-vhost",
        "prosody/conf.d/jaas.cfg.lua",
        "",
        'VirtualHost "jigasi.meet.jitsi"\n  asap_key_server = "https://jaas-public-keys.jitsi.net/x"\n',
        "asap",
    ),
    debian(
        "dial-in",
        "jitsi/jigasi/sip-communicator.properties",
        "",
        "# account\nnet.java.sip.communicator.impl.protocol.sip.acc1.ACCOUNT_UID=SIP\\:meet@sip.example.org\n",
        "net.java",
    ),
    debian("auto-owner", JICOFO, "", AUTH_OFF + "jicofo.conference.enable-auto-owner = true\n", "enable-auto-owner"),
    debian("auto-owner", JICOFO, "", AUTH_OFF + 'jicofo.conference.enable-auto-owner = "true"\n', "enable-auto-owner"),
    debian("auto-owner", JICOFO, "", AUTH_OFF + 'jicofo.conference.enable-auto-owner = "yes"\n', "enable-auto-owner"),
    debian("auto-owner", JICOFO, "", 'jicofo.authentication.enabled = "off"\njicofo.conference = null\n', None),
    debian("auto-owner", JICOFO, "", "jicofo.authentication.type = NONE\njicofo.conference = null\n", None),
    debian("muc-allowners", HOST, MUC, MUC + '"muc_allowners"; '),
    debian("muc-allowners", HOST, "", BREAKOUT + 'modules_enabled = { "muc_allowners" }\n', '"muc_allowners'),
    debian("muc-allowners", HOST, "", 'Component "more.example.org" "muc" { modules_enabled = { "muc_allowners" } }\n'),
    debian("muc-allowners", HOST, LOBBY, '"muc_allowners"; ' + LOBBY),
    debian(
        "wait-for-host-anonymous",
        HOST,
        "",
        GUEST + ROOMS + 'modules_enabled = { "muc_hide_all"; "muc_wait_for_host" }\n',
        '"muc_wait',
    ),
    debian("room-creation-open", HOST, "", ROOMS + "restrict_room_creation = false\n", "restrict"),
    debian("room-creation-open", HOST, "", ROOMS + 'restrict_room_creation = "local"\n', "restrict"),
    debian("room-creation-open", HOST, "", BREAKOUT.replace("true", "false"), "restrict"),
    debian("room-creation-open", HOST, ROOMS + "    restrict_room_creation = true\n", ROOMS),
    debian(
        "conference-request-open", SITE, SERVER, "location ~ ^/conference-request/ { proxy_pass http://j:8888; }\n"
    ).also(JICOFO, AUTH_OFF),
    debian("conference-request-open", SITE, "", SECOND.format("/conference-request/", "8888"), "proxy_pass").also(
        JICOFO, AUTH_OFF
    ),
    debian("jicofo-rest-on-web", SITE, SERVER, "location /jicofo/ { proxy_pass http://127.0.0.1:8888/; }\n"),
    debian(
        "jicofo-rest-on-web", SITE, SERVER, "location /conference-request/ { proxy_pass http://127.0.0.1:8888/; }\n"
    ),
    debian("jicofo-rest-on-web", SITE, "", SECOND.format("/", "8888"), "proxy_pass"),
    debian(
        "jicofo-rest-on-web",
        SITE,
        SERVER,
        "location /x/ {\n if ($arg_a) {\n proxy_pass http://j:8888;\n }\n}\n",
        "proxy_p",
    ),
    debian(
        "jicofo-rest-on-web",
        SITE,
        SERVER,
        "location /x/ { limit_except GET {\n proxy_pass http://j:8888;\n } }\n",
        "proxy_p",
    ),
    debian("jicofo-rest-on-web", SITE, SERVER, "location /x/ { proxy_pass http://focus; }\n").also(
        SITE, "upstream focus { server 127.0.0.1:8888; }\n"
    ),
    debian("jicofo-rest-on-web", SITE, SERVER, "set $j http://j:8888;\nlocation /x/ { proxy_pass $j; }\n", "proxy_p"),
    debian("jicofo-rest-on-web", "nginx/nginx.conf", "", STREAM, "server {"),
    debian("bridge-rest-on-web", SITE, SERVER, "location ^~ /jvb/ { proxy_pass http://127.0.0.1:8080/; }\n"),
    debian("secrets-published", SITE, SERVER, "location /conf/ { alias /etc/jitsi/; }\n"),
    Plant("secrets-published", "docker", "config/web/nginx-custom/own.conf", "", "location /c/ { alias /config/; }\n"),
    debian("etherpad-open", SITE, SERVER, "location ^~ /etherpad/ {\n proxy_pass http://e:9001/;\n }\n", "proxy_pass"),
    debian("whiteboard-open", SITE, SERVER, "location = /socket.io/ { proxy_pass http://127.0.0.1:9002; }\n"),
    debian(
        "admin-console-open",
        MAIN,
        "modules_disabled",
        'console_interfaces = { "*" }\nmodules_enabled = { "saslauth"; "admin_telnet" }\nmodules_disabled',
        '"admin_telnet',
    ),
    debian("testing-module", HOST, MUC, MUC + '"test_observer_http"; '),
    debian("service-password-weak", JICOFO, "Xq3vD8mKc1RzT5yWb7NhJ2", "jicofo"),
    debian("cannot-tell", HOST, LOGIN, LOGIN.replace('"internal_hashed"', 'os.getenv("PROVIDER")')),
    debian("cannot-tell", HOST, LOGIN, LOGIN.replace("internal_hashed", "home_made")),
    debian("cannot-tell", HOST, LOGIN, "if guests then\n  authentication = 'anonymous'\nend\n" + LOGIN),
    debian(
        "cannot-tell", MAIN, 'Include "conf.d/*.cfg.lua"', 'Include "conf.d/*.cfg.lua"\nRunScript "x.lua"', "RunScript"
    ),
    debian("cannot-tell", MAIN, 'Include "conf.d/*.cfg.lua"', 'Include "conf.d/*.cfg.lua"\nInclude "gone.lua"', "gone"),
    debian("cannot-tell", HOST, LOGIN, "authentication = = \n" + LOGIN),
    debian("cannot-tell", JICOFO, "enabled: true", "enabled: ${?JICOFO_AUTH}"),
    debian("cannot-tell", JICOFO, "enable-auto-owner: false", "enable-auto-owner: maybe", "enable-auto"),
    debian("cannot-tell", JICOFO, "enabled: true", "enabled: 1"),
    debian("cannot-tell", SITE, SERVER, "location /x/ { proxy_pass http://127.0.0.1:5280/; }\n"),
    debian("cannot-tell", SITE, SERVER, "location ~ http-bind { proxy_pass http://127.0.0.1:9999; }\n"),
    debian("cannot-tell", SITE, SERVER, "location ~ ^/http-bind|/x { proxy_pass http://127.0.0.1:9999; }\n"),
    debian("cannot-tell", SITE, SERVER, "location @other { proxy_pass http://127.0.0.1:9999; }\n"),
    debian("cannot-tell", SITE, SERVER, "location /rtcstats/ { proxy_pass $somebody; }\n"),
    debian(
        "cannot-tell",
        SITE,
        SERVER,
        "location /http-bind {\n rewrite ^.{10}(.*) $1 break;\n proxy_pass http://p:5280;\n}\n",
        "proxy_pass",
    ),
    debian("cannot-tell", SITE, SERVER, "location /x/ { fastcgi_pass 127.0.0.1:9000; }\n"),
    debian("cannot-tell", SITE, SERVER, "include locations-of-my-own.conf;\n"),
    debian("cannot-tell", SITE, "", SECOND.format("/", "9090"), "proxy_pass"),
    debian("cannot-tell", SITE, "root /usr", "} root /usr", None),
    docker("anonymous-login", "ENABLE_AUTH=0", "ENABLE_AUTH=1"),
    docker("anonymous-login", "", "ENABLE_AUTH=1\n", None),
    docker("guest-vhost", "ENABLE_GUESTS=1", "ENABLE_GUESTS=0"),
    docker(
        "guest-vhost", "ENABLE_GUESTS='true'\nPROSODY_GUEST_AUTH_TYPE=anonymous", "ENABLE_GUESTS=0", "PROSODY_GUEST"
    ),
    docker("empty-token", JWT + "\nJWT_ALLOW_EMPTY=1", "AUTH_TYPE=internal", "JWT_ALLOW"),
    docker("token-secret-weak", "AUTH_TYPE=jwt\nJWT_APP_SECRET=my_jitsi_app_secret", "AUTH_TYPE=internal", "JWT_APP"),
    docker("visitors", "ENABLE_VISITORS=1", "ENABLE_VISITORS=0"),
    docker("jaas-vhost", "ENABLE_JAAS_COMPONENTS=1", "ENABLE_JAAS_COMPONENTS=0"),
    docker("muc-allowners", "XMPP_MUC_MODULES=token_affiliation,muc_allowners\n"),
    docker("muc-allowners", "XMPP_BREAKOUT_MUC_MODULES=muc_allowners\n"),
    docker("muc-allowners", "XMPP_LOBBY_MUC_MODULES=muc_allowners\n"),
    docker("room-creation-open", "XMPP_MUC_CONFIGURATION=restrict_room_creation = false\n"),
    docker("registration-open", "GLOBAL_MODULES=register_ibr\n"),
    docker("auto-owner", "ENABLE_AUTO_OWNER=1\nJICOFO_ENABLE_AUTH=0", "ENABLE_AUTO_OWNER=0"),
    docker("auto-owner", "JICOFO_ENABLE_AUTH=0", "ENABLE_AUTO_OWNER=0", None),
    docker("etherpad-open", "ETHERPAD_URL_BASE=http://etherpad.meet.jitsi:9001\n"),
    docker("whiteboard-open", "WHITEBOARD_COLLAB_SERVER_URL_BASE=http://whiteboard.meet.jitsi\n"),
    docker("service-password-weak", "JVB_AUTH_PASSWORD=passw0rd", "JVB_AUTH_PASSWORD=9a7c5b8d1e4f603f0b8f3b1a5f4c6d9e"),
    docker("dial-in", "JIGASI_SIP_URI=meet@sip.example.org\n"),
    docker("admin-console-open", "GLOBAL_MODULES=admin_telnet\nGLOBAL_CONFIG='console_interfaces = { \"*\" }'\n"),
    docker("cannot-tell", "ENABLE_GUESTS=maybe", "ENABLE_GUESTS=0"),
    docker("cannot-tell", "ENABLE_GUESTS=${GUESTS}", "ENABLE_GUESTS=0"),
    docker("cannot-tell", "AUTH_TYPE=shibboleth", "AUTH_TYPE=internal"),
    docker("cannot-tell", "ENABLE_AUTH\n"),
    docker("cannot-tell", "XMPP_CONFIGURATION=authentication = choose()\n"),
    Plant("auto-owner", "docker", COMPOSE, ", ENABLE_AUTO_OWNER,", ",", None).also(".env", "JICOFO_ENABLE_AUTH=0\n"),
    Plant("anonymous-login", "docker", COMPOSE, "      - ENABLE_AUTH\n", "      - ENABLE_AUTH=0\n"),
    Plant("cannot-tell", "docker", COMPOSE, "    image: jitsi/prosody", "    image: example.org/prosody", None),
    Plant(
        "s2s-open",
        "docker",
        COMPOSE,
        "expose: ['5222', '5280']\n    environment:\n",
        "ports: ['5269:5269']\n    environment:\n      - PROSODY_ENABLE_S2S\n",
        None,
    ).also(".env", "PROSODY_ENABLE_S2S=1\n"),
    Plant(
        "jicofo-rest-on-web",
        "docker",
        "config/web/nginx-custom/own.conf",
        "",
        "location /j/ { proxy_pass http://j:8888/; }\n",
    ),
    Plant("cannot-tell", "docker", "config/web/nginx-custom/own.conf", "", "include /somewhere/own.conf;\n"),
    Plant("guest-vhost", "docker", "config/prosody/config/conf.d/own.cfg.lua", "", GUEST),
    Plant(
        "auto-owner",
        "docker",
        "config/jicofo/custom-jicofo.conf",
        "",
        AUTH_OFF + OWNER_OFF.replace("false", "true"),
        "enable-auto",
    ),
    Plant("guest-vhost", "container", "prosody/config/conf.d/jitsi-meet.cfg.lua", "", GUEST),
    Plant(
        "auto-owner",
        "container",
        "jicofo/custom-jicofo.conf",
        "",
        AUTH_OFF + OWNER_OFF.replace("false", "true"),
        "enable-auto",
    ),
)

WEAKNESSES = (
    debian(
        "registration-by-invitation",
        MAIN,
        "modules_disabled",
        'modules_enabled = { "invites_adhoc" }\nallow_user_invites = true\nmodules_disabled',
        "allow_user",
    ),
    debian(
        "registration-by-invitation",
        HOST,
        '"bosh"; "websocket"',
        '"register_ibr"; "invites_register"; "bosh"; "websocket"',
    ),
    debian("plain-offered", MAIN, '"PLAIN", ', ""),
    docker(
        "plain-offered",
        "",
        'XMPP_CONFIGURATION=\'disable_sasl_mechanisms = { "PLAIN"; "DIGEST-MD5"; "OAUTHBEARER" }\'\n',
        "AUTH_TYPE",
    ).up(),
    debian("cleartext-login", HOST, "c2s_require_encryption = true", "c2s_require_encryption = false"),
    debian("passwords-stored-plain", HOST, LOGIN, LOGIN.replace("hashed", "plain")),
    debian(
        "token-secret-short",
        HOST,
        INTERNAL,
        'authentication = "token"\n    app_secret = "0123456789abcdef0"',
        "app_secret",
    ),
    debian("token-any-audience", HOST, INTERNAL, TOKEN),
    debian("token-any-audience", HOST, INTERNAL, TOKEN + '\n    asap_accepted_audiences = { "x", "*" }', "asap_acc"),
    debian("token-any-issuer", HOST, INTERNAL, TOKEN + '\n    asap_accepted_issuers = { "*" }', "asap_accepted"),
    debian(
        "token-rooms-not-bound", HOST, INTERNAL, TOKEN + "\n    enable_domain_verification = false", "enable_domain"
    ),
    docker("token-rooms-not-bound", JWT, "AUTH_TYPE=internal", None),
    debian("token-rooms-not-bound", HOST, INTERNAL, TOKEN + "\n    asap_require_room_claim = false", "asap_require"),
    debian("messages-kept", HOST, MUC, MUC + '"muc_mam"; '),
    debian("messages-kept", MAIN, '"admin_shell"; ', '"admin_shell"; "mam"; '),
    debian("registration-by-invitation", HOST, '"bosh"; "websocket"', '"invites_page"; "bosh"; "websocket"'),
    debian("token-rooms-not-checked", HOST, INTERNAL, TOKEN, 'Component "conference'),
    debian("token-url-missing", HOST, INTERNAL, TOKEN, None),
    docker("token-url-missing", JWT, "AUTH_TYPE=internal", None),
    debian("auto-owner-behind-login", JICOFO, "enable-auto-owner: false", "initial-timeout: 15 seconds", None),
    docker("auto-owner-behind-login", "", "ENABLE_AUTO_OWNER=0\n", None),
    debian("nobody-moderates", JICOFO, "enabled: true", "enabled: false"),
    debian("all-are-moderators", HOST, MUC, MUC + '"token_affiliation"; ', None),
    debian("wait-for-host-owners", HOST, MUC, MUC + '"muc_wait_for_host"; '),
    docker("wait-for-host-owners", "XMPP_MUC_MODULES=muc_wait_for_host\n"),
    debian("moderator-checks-off", JICOFO, "", "jicofo.conference.enable-moderator-checks = false\n"),
    debian("auto-login", JICOFO, "enable-auto-login: false", "enable-auto-login: true"),
    docker("auto-login", "", "ENABLE_AUTO_LOGIN=0\n", None),
    debian("long-session", JICOFO, "1 hour", "24 hours"),
    docker("long-session", "", "JICOFO_AUTH_LIFETIME=1 hour\n", None),
    debian("person-is-admin", MAIN, "admins = { }", 'admins = { "chief@meet.example.org" }'),
    debian("service-rooms-open", HOST, '; "muc_filter_access"', "", 'Component "internal').up(),
    debian("service-accounts-on-web", HOST, '; "closed_to_web"', "", 'VirtualHost "auth').up(),
    debian("rooms-listed", HOST, MUC, '"muc_meeting_id"; ', ROOMS.strip()).up(),
    debian("stanzas-not-checked", HOST, '; "muc_known_stanzas"', "", ROOMS.strip()).up(),
    debian("stanzas-not-checked", HOST, '"muc_known_stanzas"; ', "", 'Component "lobby').up(),
    debian(
        "stanzas-not-checked",
        MAIN,
        "modules_disabled",
        'known_stanzas_services = { "meet.example.org" }\nmodules_disabled',
    ),
    debian(
        "stanzas-not-checked",
        HOST,
        ROOMS,
        ROOMS + '    known_stanzas_services = { "chief@meet.example.org" }\n',
        "known",
    ),
    debian("names-can-be-tried", HOST, '; "even_logins"', "", 'VirtualHost "meet').up(),
    docker("names-can-be-tried", "", "XMPP_MODULES=even_logins\n", None),
    docker("stanzas-not-checked", "", "XMPP_MUC_MODULES=muc_known_stanzas\n", None),
    docker("stanzas-not-checked", "", "XMPP_BREAKOUT_MUC_MODULES=muc_known_stanzas\n", None),
    debian("login-names-visible", HOST, "muc_room_locking = false", "muc_room_locking = true", "muc_room_default"),
    debian("hidden-domain", CONFIG, "enableSaveLogs: false", "hiddenDomain: 'recorder.meet.example.org'"),
    debian("guests-in-client", CONFIG, "domain:", "anonymousdomain: 'guest.meet.example.org', domain:"),
    debian(
        "conference-request-guarded", SITE, SERVER, "location ~ ^/conference-request/ { proxy_pass http://j:8888; }\n"
    ),
    debian(
        "conference-request-in-client",
        CONFIG,
        "enableSaveLogs: false",
        "conferenceRequestUrl: '/conference-request/v1'",
    ),
    debian("room-info", SITE, SERVER, "location = /_api/room-info { proxy_pass http://p; }\n"),
    debian("csp-missing", SITE, "    include hardener/site.conf;", "    location / { root /srv; }", "server {").first(
        "server {\n    listen 443"
    ),
    debian("csp-missing", SITE, "", "server { listen 8443 ssl; root /usr/share/jitsi-meet; }\n"),
    debian("web-cleartext", SITE, SERVER, "", None).also(
        SITE, "server { listen 80; location = /http-bind { proxy_pass http://p:5280; } return 301 https://x; }\n"
    ),
    debian("csp-weak", "nginx/hardener/security-headers.conf", "default-src 'none'", "default-src 'none'; frame-src *"),
    debian("csp-weak", "nginx/hardener/security-headers.conf", "worker-src 'self'", "worker-src 'self' blob:"),
    debian("csp-dropped", SITE, SERVER, "location = /x { add_header X-Mine yes; }\n"),
    debian("csp-dropped", SITE, SERVER, 'location @x { add_header X-Mine ""; return 404 "a page"; }\n'),
    debian("csp-dropped", SITE, SERVER, 'location = /x { add_header X-Mine ""; return 404; }\n'),
    debian("header-missing", "nginx/hardener/security-headers.conf", "Referrer-Policy", "X-Referrer", None).anywhere(),
    debian("embedding-any-page", CONFIG, "enableSaveLogs: false", "embeddingAllowedOrigins: [ '*' ]"),
    debian(
        "cors-any-origin",
        SITE,
        SERVER,
        "location = /x {\n add_header 'Access-Control-Allow-Origin' '*';\n}\n",
        "add_header",
    ),
    docker("cors-any-origin", "", "CORS_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN=https://meet.example.org:8443\n", None),
    debian("bosh-cross-domain", MAIN, "modules_disabled", "cross_domain_bosh = true\nmodules_disabled"),
    debian(
        "web-cleartext",
        SITE,
        "    listen 80;\n    server_name meet.example.org;\n    location / { return 301 https://$host$request_uri; }",
        "    listen 80;\n    root /usr/share/jitsi-meet;",
        "server {",
    ).first("server {"),
    docker("web-cleartext", "", "ENABLE_HTTP_REDIRECT=1\n", None),
    debian("scripts-uncompressed", SITE, "", "server { listen 8443 ssl; root /usr/share/jitsi-meet; }\n"),
    debian(
        "scripts-uncompressed",
        SITE,
        "",
        "server {\n listen 8443 ssl; root /usr/share/jitsi-meet; gzip on; gzip_types text/css;\n}\n",
    ),
    debian("scripts-uncompressed", SITE, "", "server {\n root /usr/share/jitsi-meet; gzip on;\n}\n"),
    debian(
        "scripts-uncompressed",
        SITE,
        "",
        "server {\n root /usr/share/jitsi-meet; gzip off; gzip_types application/javascript;\n}\n",
    ),
    debian("folders-listed", SITE, SERVER, "location /transcripts/ { autoindex on; }\n"),
    debian("folders-listed", SITE, "", "autoindex on;\n"),
    Plant("folders-listed", "docker", "config/web/nginx-custom/own.conf", "", "fancyindex on;\n"),
    debian("files-writable", SITE, SERVER, "location / { dav_methods PUT DELETE; }\n"),
    debian("files-writable", SITE, "", "dav_methods PUT;\n"),
    Plant("files-writable", "docker", "config/web/nginx-custom/own.conf", "", "dav_methods COPY;\n"),
    debian("ssi-types", "nginx/hardener/site.conf", " text/javascript;", ";"),
    debian("deep-linking", CONFIG, "deeplinking: { disabled: true }", "deeplinking: { disabled: false }"),
    docker("deep-linking", "DISABLE_DEEP_LINKING=0", "DISABLE_DEEP_LINKING=1"),
    debian("foreign-service", CONFIG, "enableSaveLogs: false", "analytics: { scriptURLs: [ 'https://a.example' ] }"),
    debian(
        "foreign-stun",
        CONFIG,
        "stunServers: []",
        "stunServers: [ { urls: 'stun:meet-jit-si-turnrelay.jitsi.net:443' } ]",
    ),
    debian("direct-connections", CONFIG, "p2p: { enabled: false", "p2p: { enabled: true"),
    debian("direct-connections", CONFIG, "p2p: { enabled: false", "p2p: { enabled: location.hash"),
    docker("direct-connections", "ENABLE_P2P=1", "ENABLE_P2P=0"),
    debian("etherpad-in-client", CONFIG, "enableSaveLogs: false", "etherpad_base: 'https://pad.example.org/p/'"),
    docker("etherpad-in-client", "ETHERPAD_PUBLIC_URL=https://pad.example.org/p/\n"),
    debian(
        "bridge-foreign-stun",
        "jitsi/videobridge/jvb.conf",
        "stun { enabled = false }",
        'stun { addresses = [ "meet-jit-si-turnrelay.jitsi.net:443" ] }',
    ),
    docker("bridge-foreign-stun", "", "JVB_DISABLE_STUN=1\n", None),
    debian("logs-for-download", CONFIG, "enableSaveLogs: false", "enableSaveLogs: true"),
    debian("c2s-open", MAIN, 'c2s_interfaces = { "127.0.0.1", "::1" }', 'c2s_interfaces = { "*" }'),
    debian("http-open", MAIN, 'http_interfaces = { "127.0.0.1", "::1" }', 'http_interfaces = { "*" }'),
    debian("http-open", MAIN, 'http_interfaces = { "127.0.0.1", "::1" }', 'local_interfaces = { "*" }'),
    debian("http-without-token", HOST, MUC, MUC + '"turncredentials_http"; '),
    debian(
        "http-without-token",
        HOST,
        '"bosh"; "websocket"',
        '"muc_password_check"; "bosh" }\n    enable_password_token_verification = false\n    x = {',
        "enable_p",
    ),
    debian("https-open", MAIN, "https_ports = { }\n", "", None),
    debian("https-open", MAIN, "https_ports = { }", "https_ports = { 5281 }"),
    debian(
        "c2s-tls-open", MAIN, "https_ports = { }", "https_ports = { }\nc2s_direct_tls_ports = { 5223 }", "c2s_direct"
    ),
    debian("c2s-tls-open", MAIN, "https_ports = { }", "https_ports = { }\nlegacy_ssl_ports = { 5223 }", "legacy"),
    debian("component-open", MAIN, "modules_disabled", 'component_interfaces = { "*" }\nmodules_disabled'),
    debian("jicofo-rest-open", JICOFO, "", 'jicofo.rest.host = "0.0.0.0"\n'),
    debian("bridge-rest-open", "jitsi/videobridge/jvb.conf", "host = 127.0.0.1", "host = 0.0.0.0"),
    Plant(
        "jicofo-rest-open",
        "docker",
        COMPOSE,
        "'127.0.0.1:${JICOFO_REST_PORT:-8888}:8888'",
        "'${JICOFO_REST_PORT:-8888}:8888'",
    ),
    Plant("c2s-open", "docker", COMPOSE, "expose: ['5222', '5280']", "ports:\n      - '5222:5222'", "- '5222"),
    Plant("http-open", "docker", COMPOSE, "expose: ['5222', '5280']", "network_mode: host"),
    debian("admin-console", MAIN, '"admin_shell"; ', '"admin_telnet"; '),
    debian("admin-over-http", MAIN, '"admin_shell"; ', '"http_admin_api"; '),
    debian("rooms-counted", HOST, MUC, MUC + '"muc_census"; '),
    debian("service-password-missing", JICOFO, '"Xq3vD8mKc1RzT5yWb7NhJ2"', '""'),
    docker("service-password-missing", "JVB_AUTH_PASSWORD=", "JVB_AUTH_PASSWORD=9a7c5b8d1e4f603f0b8f3b1a5f4c6d9e"),
    debian("service-password-short", JICOFO, "Xq3vD8mKc1RzT5yWb7NhJ2", "Xq3vD8mKc1RzT5"),
    docker(
        "service-password-reused",
        "JVB_AUTH_PASSWORD=3f0b8f3b1a5f4c6d9e2a7c5b8d1e4f60",
        "JVB_AUTH_PASSWORD=9a7c5b8d1e4f603f0b8f3b1a5f4c6d9e",
    ),
    Plant("env-not-passed", "docker", COMPOSE, ", ENABLE_AUTO_OWNER,", ",", None).anywhere(),
    docker("image-not-pinned", "JITSI_IMAGE_VERSION=latest", "JITSI_IMAGE_VERSION=stable-10978"),
    docker("no-rate-limit", "PROSODY_ENABLE_RATE_LIMITS=0", "PROSODY_ENABLE_RATE_LIMITS=1"),
    docker("ldap-cleartext", LDAP + "LDAP_URL=ldap://ldap.example.org/", "AUTH_TYPE=internal", "LDAP_URL"),
    docker("ldap-not-verified", LDAPS + "LDAP_TLS_CHECK_PEER=0", "AUTH_TYPE=internal", "LDAP_TLS_CHECK_PEER"),
    docker("ldap-anonymous", LDAPS, "AUTH_TYPE=internal", None),
    docker("ldap-closed-accounts", LDAPS + "LDAP_FILTER=uid=%u", "AUTH_TYPE=internal", "LDAP_FILTER"),
    docker("ldap-names-shared", LDAPS + "LDAP_FILTER=(mail=%u@%r)", "AUTH_TYPE=internal", "LDAP_FILTER"),
    docker("ldap-names-shared", LDAPS + "LDAP_FILTER=(|(uid=%u)(cn=%u))", "AUTH_TYPE=internal", "LDAP_FILTER"),
    docker("ldap-passwords-read", LDAPS + "LDAP_AUTH_METHOD=custom", "AUTH_TYPE=internal", "LDAP_AUTH_METHOD"),
    docker("ldap-answers-kept", LDAPS, "AUTH_TYPE=internal", "AUTH_TYPE"),
    docker("ldap-without-plain", "AUTH_TYPE=ldap", "AUTH_TYPE=internal", "XMPP_CONFIGURATION"),
    docker("cleartext-login", "AUTH_TYPE=ldap", "AUTH_TYPE=internal"),
    debian(
        "ldap-cleartext", HOST, INTERNAL, DIRECTORY + 'ldap_server = "ldap.example.org:389 127.0.0.1"', "ldap_server"
    ),
    debian("ldap-not-verified", "ldap/ldap.conf", "", "TLS_REQCERT try\n").also(HOST, HOSTED + "ldap_tls = true\n"),
    debian("ldap-anonymous", HOST, INTERNAL, DIRECTORY, "authentication"),
    debian(
        "ldap-closed-accounts", HOST, INTERNAL, DIRECTORY + 'ldap_filter = "(&(uid=$user)(objectClass=*))"', "ldap_f"
    ),
    debian("ldap-names-shared", HOST, INTERNAL, DIRECTORY + 'ldap_filter = "(mail=$user@*)"', "ldap_filter"),
    debian("ldap-passwords-read", HOST, INTERNAL, DIRECTORY + 'ldap_mode = "getpasswd"', "ldap_mode"),
    debian("ldap-answers-kept", "default/saslauthd", "", 'OPTIONS="-m /run/saslauthd -c"\n').also(HOST, CYRUS),
    debian("ldap-cleartext", "saslauthd.conf", "", "ldap_servers: ldap://192.0.2.1/\n").also(HOST, CYRUS),
    debian("ldap-not-verified", "saslauthd.conf", "", "ldap_servers: ldaps://192.0.2.1/\n").also(HOST, CYRUS),
    debian("log-debug", MAIN, 'log = { warn = "*syslog" }', 'log = { debug = "/var/log/prosody/all" }'),
    docker("log-debug", "LOG_LEVEL=debug", "LOG_LEVEL=warn"),
    debian("addresses-logged", SITE, "access_log off;", "access_log /var/log/nginx/access.log;"),
    debian("cannot-tell-minor", CONFIG, "var config", "}} var config"),
)
