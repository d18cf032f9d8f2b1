-- A stand-in for jicofo: opens the room that a conference request names, sits down in it as "focus", and says "ready".
-- It grants nothing, unless it is set to do what jicofo's auto-owner does:
--   test_focus_auto_owner = true    the first one in becomes owner
--   test_focus_proxy = true         requests are forwarded to the last announced address
--   test_focus_absent = true        no occupant of the room has the name focus

local st = require "util.stanza";
local jid = require "util.jid";

local me = "focus@" .. module.host .. "/stand-in";
local MUC = "http://jabber.org/protocol/muc";
local FOCUS = "http://jitsi.org/protocol/focus";
local auto_owner = module:get_option_boolean("test_focus_auto_owner", false);
local nick = module:get_option_boolean("test_focus_absent", false) and "other" or "focus";
local proxy = module:get_option_boolean("test_focus_proxy", false);
local elected, target = {}, nil;

module:hook("iq-set/host/" .. FOCUS .. ":conference", function (event)
	local origin, stanza = event.origin, event.stanza;
	local room = stanza.tags[1].attr.room;
	local host = prosody.hosts[jid.host(room)];
	local muc = host and host.modules.muc;
	if not muc then
		origin.send(st.error_reply(stanza, "cancel", "item-not-found"));
		return true;
	end
	if not muc.get_room_from_jid(room) then
		module:send(st.presence({ from = me, to = room .. "/" .. nick }):tag("x", { xmlns = MUC }));
	end
	if proxy and target then
		local copy = st.clone(stanza);
		copy.attr.to = target;
		module:send(copy);
	end
	origin.send(st.reply(stanza):tag("conference", {
		xmlns = FOCUS, room = room, ready = "true", focusjid = jid.bare(me);
	}));
	return true;
end);

module:hook("presence/host", function (event)
	target = event.stanza.attr.from;
	return true;
end);

module:hook("presence/full", function (event)
	local stanza = event.stanza;
	local room, _, from = jid.bare(stanza.attr.from), nil, jid.resource(stanza.attr.from);
	if auto_owner and not stanza.attr.type and from ~= nick and not elected[room] then
		local user = stanza:get_child("x", MUC .. "#user");
		local item = user and user:get_child("item");
		if item and item.attr.jid then
			elected[room] = true;
			-- Not within the event: the room is still announcing who has come.
			module:add_timer(0, function ()
				module:send(st.iq({ type = "set", from = me, to = room, id = "elect" })
					:tag("query", { xmlns = MUC .. "#admin" })
					:tag("item", { affiliation = "owner", jid = jid.bare(item.attr.jid) }));
			end);
		end
	end
	return true;
end);
module:hook("iq/full", function (event)
	module:log("info", "election of the first one in: %s", event.stanza.attr.type);
	return true;
end);
module:hook("message/full", function () return true; end);
