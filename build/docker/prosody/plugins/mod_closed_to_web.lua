-- Closes a virtual host to web clients: loaded on the host of the service accounts, which come by TCP from the inside.
--
-- BOSH and WebSocket are loaded on the host of the participants, but Prosody lets a stream over them name any of its
-- hosts. Without this module the whole internet may try passwords of focus and jvb through the public /xmpp-websocket.
-- Works with Prosody 0.12 and 13. Nothing to configure.

local st = require "util.stanza";

local function from_web(session)
    return session.websocket_request or session.bosh_version;
end

-- Before all others: the stream ends as it does for a host that does not exist.
module:hook("stream-features", function (event)
    if from_web(event.origin) then
        module:log("warn", "web client from %s refused", event.origin.ip or "an unknown address");
        event.origin:close({ condition = "host-unknown", text = "This server does not serve " .. module.host });
        return true;
    end
end, 10000);

-- For what a client sends without waiting for the stream to open.
module:hook("stanza/urn:ietf:params:xml:ns:xmpp-sasl:auth", function (event)
    if from_web(event.origin) then
        local failure = st.stanza("failure", { xmlns = "urn:ietf:params:xml:ns:xmpp-sasl" }):tag("not-authorized");
        event.origin.send(failure);
        return true;
    end
end, 10000);
