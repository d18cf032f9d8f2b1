-- Lets participants send only what a Jitsi client sends into a room, and nothing inside of it that is not known.
--
-- Load it on each MUC component: conferences, breakout rooms and the lobby. Works on Prosody 0.12 and 13.
--
--   known_stanzas_services = { "jigasi@auth.meet.example.org", "recorder.meet.example.org" }
--       bare JIDs of machines whose stanzas pass unchanged, beside the accounts in "admins" (focus, bridge); an entry
--       without "@" is a virtual host, all of whose accounts are machines
--   known_stanzas_presence = { "my-element" }
--       further children of a participant's presence: name of an element without a namespace, with text and attributes
--
-- Each child of a stanza is rebuilt from what is known of it: name, namespace, attributes, text and, where a known element
-- has children, those. Everything else is dropped. So no client has to distinguish what the room, the focus or a service says
-- from what a participant says. Elements of moderators are dropped unless the sender moderates. Occupants cannot
-- use names that pages give to their own elements.

local jid = require "util.jid";
local st = require "util.stanza";

local CLIENT = "jabber:client";
local MUC = "http://jabber.org/protocol/muc";
local MUC_USER = MUC .. "#user";
local JITMEET = "http://jitsi.org/jitmeet";
local JINGLE = "urn:xmpp:jingle:1";
local DISCO = "http://jabber.org/protocol/disco#";
local STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas";
local FIRST = 1000; -- before mod_muc and whatever reads what it lets through

-- What is known of an element: its attributes (names, or ANY without a namespace), whether it has text, its children.
local ANY = {};
local TEXT = { text = true };
local EMPTY = {};

local function attributes(...)
	local names = {};
	for _, name in ipairs({ ... }) do
		names[name] = true;
	end
	return names;
end

local function key(name, xmlns)
	return (xmlns or CLIENT) .. " " .. name;
end

local function elements(list)
	local known = {};
	for _, one in ipairs(list) do
		local name, xmlns, what = one[1], one[2], one[3];
		known[key(name, xmlns)] = what;
	end
	return known;
end

local hints = {
	{ "store", "urn:xmpp:hints", EMPTY };
	{ "no-store", "urn:xmpp:hints", EMPTY };
	{ "no-permanent-store", "urn:xmpp:hints", EMPTY };
	{ "no-copy", "urn:xmpp:hints", EMPTY };
};

-- Of a presence. mod_muc takes the joining element out itself.
local presence = elements {
	{ "x", MUC, { children = elements {
		{ "password", MUC, TEXT };
		{ "billingid", MUC, TEXT };
		{ "history", MUC, { attributes = attributes("maxchars", "maxstanzas", "seconds", "since") } };
	} } };
	{ "c", "http://jabber.org/protocol/caps", { attributes = attributes("hash", "node", "ver", "ext") } };
	{ "nick", "http://jabber.org/protocol/nick", TEXT };
	{ "show", nil, TEXT };
	{ "status", nil, TEXT };
	{ "priority", nil, TEXT };
	{ "features", nil, { children = elements { { "feature", nil, { attributes = attributes("var") } } } } };
	{ "stats-id", nil, TEXT };
	{ "email", nil, TEXT };
	{ "avatar-url", nil, TEXT };
	{ "SourceInfo", nil, TEXT };
	{ "silent", "http://jitsi.org/protocol/silent", TEXT };
	{ "userinfo", "http://jitsi.org/jitmeet/userinfo", { attributes = attributes("robot") } };
	{ "shared-video", nil, { text = true, attributes = attributes("from", "muted", "state", "time") } };
	-- of older clients
	{ "audiomuted", nil, TEXT };
	{ "audiomuted", "http://jitsi.org/jitmeet/audio", TEXT };
	{ "videomuted", nil, TEXT };
	{ "videomuted", "http://jitsi.org/jitmeet/video", TEXT };
	{ "videoType", nil, TEXT };
	{ "videoType", "http://jitsi.org/jitmeet/video", TEXT };
};
for name in module:get_option_set("known_stanzas_presence", {}):items() do
	presence[key(name)] = { text = true, attributes = ANY };
end
local of_moderators = elements {
	{ "follow-me", nil, { attributes = ANY } };
	{ "startmuted", "http://jitsi.org/jitmeet/start-muted", { attributes = attributes("audio", "video") } };
	{ "mute-reactions", nil, { attributes = attributes("startReactionsMuted") } };
};
local property = "^jitsi_participant_"; -- client's, with text

local leaving = elements { { "status", nil, TEXT } };
local nothing = elements {};

-- Of a message, to the room or to one of its participants.
local message = elements {
	{ "body", nil, TEXT };
	{ "json-message", JITMEET, TEXT };
	{ "json-message", nil, TEXT };
	{ "reactions", "urn:xmpp:reactions:0", {
		attributes = attributes("id"),
		children = elements { { "reaction", "urn:xmpp:reactions:0", TEXT } };
	} };
	{ "reply", nil, { attributes = attributes("to", "id") } };
	{ "reply", "urn:xmpp:reply:0", { attributes = attributes("to", "id") } };
	hints[1], hints[2], hints[3], hints[4];
};
local subject = elements { { "subject", nil, TEXT } };
local invitation = { attributes = attributes("to"), children = elements { { "reason", MUC_USER, TEXT } } };
local invitations = elements {
	{ "x", MUC_USER, { children = elements { { "invite", MUC_USER, invitation }, { "decline", MUC_USER, invitation } } } };
};
-- The condition of an error, and no text: clients show that as a word of the server's.
local failure = elements { { "error", nil, {
	attributes = attributes("type"),
	others = function (tag) return tag.attr.xmlns == STANZAS and tag.name ~= "text" and EMPTY; end;
} } };

-- Of a request to another participant, and of its answer. The content of a call is long and changes with each version:
-- there, everything passes but what belongs to the room, to stanzas, or to the focus, and what Prosody writes so that no
-- browser parses it: the namespace of XML itself. No known element is as deep as DEEPEST.
local DEEPEST = 32;
local foreign_in_call = {
	[CLIENT] = true;
	["http://jitsi.org/protocol/focus"] = true;
	["http://www.w3.org/XML/1998/namespace"] = true;
};
local call = { text = true, attributes = ANY };
function call.others(tag)
	local xmlns = tag.attr.xmlns or CLIENT;
	return not foreign_in_call[xmlns] and xmlns:sub(1, #MUC) ~= MUC and call or nil;
end
local form = { attributes = attributes("type"), children = elements {
	{ "field", "jabber:x:data", {
		attributes = attributes("var", "type", "label"),
		children = elements { { "value", "jabber:x:data", TEXT } };
	} };
} };
local request = elements {
	{ "jingle", JINGLE, call };
	{ "query", DISCO .. "info", { attributes = attributes("node") } };
	{ "query", DISCO .. "items", { attributes = attributes("node") } };
	{ "ping", "urn:xmpp:ping", EMPTY };
};
local answer = elements {
	{ "query", DISCO .. "info", {
		attributes = attributes("node"),
		children = elements {
			{ "identity", DISCO .. "info", { attributes = attributes("category", "type", "name") } };
			{ "feature", DISCO .. "info", { attributes = attributes("var") } };
			{ "x", "jabber:x:data", form };
		};
	} };
	{ "query", DISCO .. "items", { attributes = attributes("node") } };
};

local services = {};
for _, option in ipairs { "admins", "known_stanzas_services" } do
	for entry in module:get_option_inherited_set(option, {}):items() do
		local prepped = jid.prep(entry);
		if not prepped or select(3, jid.split(prepped)) then
			module:log("error", "%s: %q is not a bare JID and is ignored", option, entry);
		else
			services[prepped] = true;
		end
	end
end

local function is_service(address)
	local node, host = jid.split(address);
	return services[jid.bare(address)] == true or node ~= nil and services[host] == true;
end

local function rebuilt(tag, what, level)
	local copy = st.stanza(tag.name, { xmlns = tag.attr.xmlns });
	for name, value in pairs(tag.attr) do
		-- "\1" is between a namespace and the name of an attribute, ":" in xml:lang
		if name ~= "xmlns" and not name:find("[\1:]") and what.attributes
			and (what.attributes == ANY or what.attributes[name]) then
			copy.attr[name] = value;
		end
	end
	for _, child in ipairs(tag) do
		if type(child) == "string" then
			if what.text then
				copy:text(child);
			end
		else
			local known = what.children and what.children[key(child.name, child.attr.xmlns)]
				or what.others and what.others(child);
			if known and level < DEEPEST then
				copy:add_child(rebuilt(child, known, level + 1));
			end
		end
	end
	return copy;
end

-- Keeps of the children of a stanza the first of each kind that is known; what(tag) may know more of them.
local function keep(stanza, known, more)
	local seen, dropped = {}, {};
	stanza:maptags(function (tag)
		local name = key(tag.name, tag.attr.xmlns);
		local what = known[name] or more and more(tag, name);
		if not what or seen[name] then
			dropped[#dropped + 1] = name;
			return nil;
		end
		seen[name] = true;
		return what == true and tag or rebuilt(tag, what, 1);
	end);
	if dropped[1] then
		module:log("info", "%s from %s: dropped %s", stanza.name, jid.bare(stanza.attr.from), table.concat(dropped, ", "));
	end
end

local function room_of(stanza)
	return prosody.hosts[module.host].modules.muc.get_room_from_jid(jid.bare(stanza.attr.to));
end

local function occupant_of(stanza)
	local room = room_of(stanza);
	return room and room:get_occupant_by_real_jid(stanza.attr.from);
end

-- What only a module of the server can judge passes where that module is loaded, and is dropped where it is not.
local function judged_elsewhere(tag, origin, occupant)
	if tag.name == "identity" then -- mod_presence_identity replaces it in each presence of its host's sessions
		local host = origin.type == "c2s" and prosody.hosts[origin.host];
		return host and host.modules.presence_identity ~= nil;
	end
	if tag.name == "flip_device" and not tag.attr.xmlns then -- mod_muc_flip reads it when an occupant joins
		return not occupant and prosody.hosts[module.host].modules.muc_flip ~= nil and EMPTY;
	end
end

-- What a page calls its own things, and what each object in it has already. Clients take eight hexadecimal digits.
local reserved = {};
for name in ("constructor focus hasownproperty isprototypeof local localscreenshare propertyisenumerable remote"
	.. " tolocalestring tostring valueof whiteboard"):gmatch("%a+") do
	reserved[name] = true;
end

local function is_nickname(name)
	return name:find("^[%w][%w_]*$") ~= nil and not reserved[name:lower()];
end

local function on_presence(event)
	local origin, stanza = event.origin, event.stanza;
	if is_service(stanza.attr.from) then
		return;
	end
	local name = jid.resource(stanza.attr.to);
	if not stanza.attr.type and name and not is_nickname(name) then
		module:log("info", "presence from %s: refused a reserved name", jid.bare(stanza.attr.from));
		origin.send(st.error_reply(stanza, "cancel", "not-acceptable", nil, module.host));
		return true;
	end
	if stanza.attr.type ~= nil then
		return keep(stanza, stanza.attr.type == "unavailable" and leaving or nothing);
	end
	local occupant = occupant_of(stanza);
	keep(stanza, presence, function (tag, name)
		if of_moderators[name] then
			return occupant and occupant.role == "moderator" and of_moderators[name];
		end
		return not tag.attr.xmlns and tag.name:find(property) and TEXT or judged_elsewhere(tag, origin, occupant);
	end);
end

local function on_message(event)
	local stanza = event.stanza;
	local kind = stanza.attr.type or "normal";
	if is_service(stanza.attr.from) then
		return;
	end
	local to_room = not jid.resource(stanza.attr.to);
	if kind == "error" then
		keep(stanza, failure);
	elseif to_room and kind == "normal" and stanza:get_child("x", MUC_USER) then
		keep(stanza, invitations);
	elseif to_room and kind == "groupchat" and stanza:get_child("subject")
		and not stanza:get_child("body") and not stanza:get_child("thread") then
		keep(stanza, subject); -- only so does mod_muc ask whether the sender may change it
	else
		keep(stanza, message);
	end
end

local function on_iq(event)
	local origin, stanza = event.origin, event.stanza;
	local kind = stanza.attr.type;
	if is_service(stanza.attr.from) then
		return;
	elseif kind == "error" then
		return keep(stanza, failure);
	elseif kind == "result" then
		return keep(stanza, answer);
	end
	local room = room_of(stanza);
	local receiver = room and room:get_occupant_by_nick(stanza.attr.to);
	if receiver and is_service(receiver.bare_jid) then
		return; -- requests to the focus: it knows who may ask for what
	end
	keep(stanza, request);
	if not stanza.tags[1] then
		origin.send(st.error_reply(stanza, "cancel", "service-unavailable", nil, module.host));
		return true;
	end
end

for _, place in ipairs { "host", "bare", "full" } do
	module:hook("presence/" .. place, on_presence, FIRST);
end
for _, place in ipairs { "bare", "full" } do -- messages to the host are for components of that address
	module:hook("message/" .. place, on_message, FIRST);
end
module:hook("iq/full", on_iq, FIRST);

-- All occupants keep receiving each other's presence, with addresses: no moderator's form changes that.
local function keeps_all_visible(event)
	return event.value ~= "anyone" and not is_service(event.actor) or nil;
end
for _, field in ipairs { "whois", "presencebroadcast" } do
	module:hook("muc-config-submitted/muc#roomconfig_" .. field, keeps_all_visible, FIRST);
end
