"""Name the schemes of addresses: which the web uses, which contact no server, and which need no slashes."""

from __future__ import annotations

# Counted by host, not by scheme.
WEB = frozenset(("http", "https", "ws", "wss"))
# These contact no server: content that is in the address itself (it is read), objects of the page, modules of maps.
INERT = frozenset("about blob data javascript webpack webpack-internal".split())
# Schemes that work without '//'. Only those count at the beginning of any text: 'error:' begins one, too. With
# '//', and in an attribute that holds an address, each scheme counts.
OPAQUE = frozenset(
    """
    aim android-app bitcoin bitcoincash callto comgooglemaps coap dav discord dns ed2k ethereum facetime
    facetime-audio facetime-group fb-messenger file filesystem ftp ftps geo git gopher gtalk hangouts iax imap
    instagram intent ipfs ipns irc irc6 ircs itms itms-apps itms-appss lastfm ldap ldaps lightning magnet
    mailto market matrix maps mms mmsto monero msrp msrps msteams mumble mvn nfs nntp openpgp4fpr org.jitsi.meet
    payto pop rdp rtmp rtmps rtsp rtsps rtspu secondlife sftp sgnl sip sips skype slack smb sms smsto snapchat snews
    spotify ssh steam stun stuns svn tel telnet tg threema ts3server turn turns twitter urn-ietf view-source viber
    vnc vnd.youtube wais waze webcal webcals webex webrtc whatsapp wtai ymsgr youtube zoommtg zoomus
    """.split()
)
# Families of schemes: Microsoft's applications, and those that web applications may register.
FAMILIES = ("ms-", "web+", "ext+", "vnd.", "com.", "fb1", "fb2")


def is_opaque(scheme: str) -> bool:
    """Return whether a text that begins with this scheme is an address, even without slashes.

    >>> [is_opaque(scheme) for scheme in ("mailto", "ms-word", "error", "https")]
    [True, True, False, False]
    """
    return scheme in OPAQUE or scheme.startswith(FAMILIES)


def counts(scheme: str) -> bool:
    """Return whether a scheme belongs to the list of schemes: it is neither the web's nor inert."""
    return scheme not in WEB and scheme not in INERT
