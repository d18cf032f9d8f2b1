-- Closes virtual hosts to web clients. Prosody lets a stream over BOSH or WebSocket name any of its hosts, not only the
-- one that these modules are loaded on: so the whole internet may try the passwords of the service accounts (focus, jvb)
-- through the public /xmpp-websocket. They come from the inside, by TCP; this module refuses all others.
--
-- Either load it on the hosts that are to be closed, or globally, and name the hosts that stay open:
--     open_to_web = { "meet.example.org" }
-- Works with Prosody 0.12 and 13.

local st = require "util.stanza";

if module:get_option_set("open_to_web", {}):contains(module.host) then
    return;
end

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
