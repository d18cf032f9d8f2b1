"""A stand-in for jicofo, the conference focus: enough of it for clients to get into a room, and not a bit more.

It has jicofo's account and speaks jicofo's protocol (namespace http://jitsi.org/protocol/focus, as lib-jitsi-meet's
modules/xmpp/moderator.ts sends and reads it): a client asks for a conference, focus enters the room under the nick
"focus", which creates it, and answers that it is ready. Focus stays until the last participant has left.

It grants no roles. In a deployment jicofo may make a person owner of a room; here no participant becomes moderator
unless a module of Prosody says so, so that a test of roles never tests this file.

There is no bridge: two participants reach each other directly (P2P), three or more see no media. But clients publish
which cameras and microphones they have (the SourceInfo of their presence) only when they answer a bridge's offer; until
then a picture is received and not shown. So each is offered a session whose bridge has no address, and never connects.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import ssl
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import slixmpp
from slixmpp.xmlstream.handler import Callback, CoroutineCallback
from slixmpp.xmlstream.matcher import MatchXPath

FOCUS = "http://jitsi.org/protocol/focus"
MUC = "http://jabber.org/protocol/muc"
CLIENT = "jabber:client"
NICK = "focus"
JINGLE = "urn:xmpp:jingle:1"
ENTERING = 10  # seconds until a room has to have let us in

# The offer of a bridge that cannot be reached (XEP-0166, -0167, -0176, -0320): no candidate among its transports.
# lib-jitsi-meet wants two payload types a medium and two codecs of video.
TRANSPORT = """<transport xmlns="urn:xmpp:jingle:transports:ice-udp:1" ufrag="{ufrag}" pwd="{pwd}"><rtcp-mux/>
  <fingerprint xmlns="urn:xmpp:jingle:apps:dtls:0" hash="sha-256" setup="actpass">{fingerprint}</fingerprint>
</transport>"""
FEEDBACK = "".join(
    f'<rtcp-fb xmlns="urn:xmpp:jingle:apps:rtp:rtcp-fb:0" type="{kind}"{more}/>'
    for kind, more in (("nack", ""), ("nack", ' subtype="pli"'), ("ccm", ' subtype="fir"'), ("transport-cc", ""))
)
# What a bridge itself sends: clients look for the source of each stream that is announced.
SOURCE = """<source xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" ssrc="{ssrc}" name="jvb-{medium[0]}0">
  <ssrc-info xmlns="http://jitsi.org/jitmeet" owner="jvb"/>
  <parameter name="msid" value="mixedmslabel mixedlabel{medium}0"/>
</source>"""
OFFER = f"""<jingle xmlns="{JINGLE}" action="session-initiate" initiator="{{me}}" sid="{{sid}}">
<group xmlns="urn:xmpp:jingle:apps:grouping:0" semantics="BUNDLE"><content name="audio"/><content name="video"/></group>
<content creator="initiator" name="audio" senders="both">
  <description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio">
    <payload-type id="111" name="opus" clockrate="48000" channels="2"/>
    <payload-type id="126" name="telephone-event" clockrate="8000" channels="1"/>
    <rtcp-mux/>{SOURCE.format(ssrc=1, medium="audio")}
  </description>{TRANSPORT}
</content>
<content creator="initiator" name="video" senders="both">
  <description xmlns="urn:xmpp:jingle:apps:rtp:1" media="video">
    <payload-type id="100" name="VP8" clockrate="90000">{FEEDBACK}</payload-type>
    <payload-type id="101" name="VP9" clockrate="90000">{FEEDBACK}</payload-type>
    <payload-type id="96" name="rtx" clockrate="90000"><parameter name="apt" value="100"/></payload-type>
    <rtcp-mux/>{SOURCE.format(ssrc=2, medium="video")}
  </description>{TRANSPORT}
</content>
<bridge-session xmlns="{FOCUS}" id="{{sid}}"/>
</jingle>"""

log = logging.getLogger("focus")


class Room:
    """A room that focus is in, or is about to enter: who else is there."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.occupants: set[str] = set()


class Focus(slixmpp.ClientXMPP):
    """Logs in as the service account and answers conference requests, which mod_client_proxy passes on to it."""

    def __init__(self, domain: str, password: str) -> None:
        super().__init__(f"focus@auth.{domain}", password)
        self.domain = domain
        self.rooms: dict[str, Room] = {}
        # Prosody's certificate is one that it signed itself at its start; the network is a private one.
        self.ssl_context = ssl.create_default_context()
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0199", {"keepalive": True, "interval": 30})
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("failed_auth", lambda _event: sys.exit("focus: the account or its password is wrong"))
        self.add_event_handler("disconnected", lambda _event: self.lost())
        request = MatchXPath(f"{{{CLIENT}}}iq/{{{FOCUS}}}conference")
        self.register_handler(CoroutineCallback("conference request", request, self.on_request))
        jingle = MatchXPath(f"{{{CLIENT}}}iq/{{{JINGLE}}}jingle")
        self.register_handler(Callback("jingle", jingle, lambda iq: iq.reply().send()))
        self.register_handler(Callback("presence", MatchXPath(f"{{{CLIENT}}}presence"), self.on_presence))

    def begin(self, _event: object) -> None:
        """Announce ourselves; the presence to focus.DOMAIN is what mod_client_proxy learns our session from."""
        self.send_presence()
        self.send_presence(pto=f"focus.{self.domain}")
        Path("/tmp/ready").touch()  # noqa: S108 (a private tmpfs; the health check looks here)
        log.info("ready as %s", self.boundjid.full)

    @staticmethod
    def lost() -> None:
        """Exit, as focus is of no use without its stream: Docker starts it again."""
        sys.exit("focus: the stream is gone")

    async def on_request(self, iq: slixmpp.Iq) -> None:
        """Answer a client that asks for a conference; its address is the resource of focus.DOMAIN."""
        room = iq.xml.find(f"{{{FOCUS}}}conference").get("room", "")
        sender = slixmpp.JID(iq["from"].resource)
        log.info("%s asks for %s", sender.bare, room)
        if slixmpp.JID(room).domain not in {f"muc.{self.domain}", f"breakout.{self.domain}"}:
            self.refuse(iq, "modify", "bad-request")
        # As jicofo does with authentication: only accounts of the domain may open a room.
        elif sender.domain != self.domain and room not in self.rooms:
            self.refuse(iq, "auth", "not-authorized")
        else:
            try:
                await self.enter(room)
            except TimeoutError:
                self.refuse(iq, "cancel", "service-unavailable")
            else:
                self.answer(iq, room)

    def answer(self, iq: slixmpp.Iq, room: str) -> None:
        """Inform the client that its conference is ready and who focus is in the room."""
        reply = iq.reply()
        attributes = {"room": room, "ready": "true", "focusjid": self.boundjid.bare}
        conference = ET.SubElement(reply.xml, f"{{{FOCUS}}}conference", attributes)
        for name, value in (("authentication", "true"), ("externalAuth", "false"), ("sipGatewayEnabled", "false")):
            ET.SubElement(conference, f"{{{FOCUS}}}property", {"name": name, "value": value})
        reply.send()

    @staticmethod
    def refuse(iq: slixmpp.Iq, kind: str, condition: str) -> None:
        """Answer with an error: a client that hears nothing waits for ever."""
        reply = iq.reply()
        reply["type"] = "error"
        reply["error"]["type"] = kind
        reply["error"]["condition"] = condition
        reply.send()

    async def enter(self, address: str) -> None:
        """Be in the room, and so create it; raises TimeoutError when it does not let us in."""
        room = self.rooms.get(address)
        if room is None:
            room = self.rooms[address] = Room()
            presence = self.make_presence(pto=f"{address}/{NICK}")
            ET.SubElement(presence.xml, f"{{{MUC}}}x")
            presence.send()
        try:
            await asyncio.wait_for(room.entered.wait(), ENTERING)
        except TimeoutError:
            self.rooms.pop(address, None)
            raise

    def on_presence(self, presence: slixmpp.Presence) -> None:
        """Keep the list of occupants; leave when the room is otherwise empty, so that Prosody destroys the room."""
        occupant = presence["from"]
        room = self.rooms.get(occupant.bare)
        if room is None:
            return
        kind = presence.xml.get("type", "")
        if kind == "error":
            log.error("%s: %s", occupant, presence["error"]["condition"])
        elif occupant.resource == NICK and kind == "unavailable":
            del self.rooms[occupant.bare]
        elif occupant.resource == NICK:
            room.entered.set()
        elif kind == "unavailable":
            room.occupants.discard(occupant.resource)
            if not room.occupants:
                self.send_presence(pto=f"{occupant.bare}/{NICK}", ptype="unavailable")
                del self.rooms[occupant.bare]
        elif occupant.resource not in room.occupants:
            room.occupants.add(occupant.resource)
            self.offer(occupant)

    def offer(self, occupant: slixmpp.JID) -> None:
        """Offer a session with a bridge that cannot be reached; what the client answers does not matter."""
        iq = self.make_iq_set(ito=occupant)
        text = OFFER.format(
            me=self.boundjid.full,
            sid=secrets.token_hex(6),
            ufrag=secrets.token_hex(4),
            pwd=secrets.token_hex(12),
            fingerprint=secrets.token_bytes(32).hex(":").upper(),
        )
        iq.xml.append(ET.fromstring(text))  # noqa: S314 (our own text)
        self.send(iq)  # and not iq.send, which would wait for the answer


def main() -> None:
    """Connect to the server and serve until the stream ends."""
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO").upper(), format="%(levelname)s %(name)s %(message)s")
    focus = Focus(os.environ.get("XMPP_DOMAIN", "meet.jitsi"), os.environ["JICOFO_AUTH_PASSWORD"])
    focus.connect(os.environ.get("XMPP_SERVER", "xmpp.meet.jitsi"), 5222)
    asyncio.get_event_loop().run_forever()


if __name__ == "__main__":
    main()
