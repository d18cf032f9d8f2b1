-- Only listed persons may moderate.
--
-- Load it on each MUC component where conferences or breakout rooms are held. Works on Prosody 0.12 and 13.
--
--   named_hosts = { "alice@meet.example.org", "staff.meet.example.org" }
--       bare JIDs; an entry without "@" means every account of that virtual host
--   named_hosts_file = "/etc/prosody/named-hosts"
--       one entry a line, "#" starts a comment; read again at every decision. If it cannot be read, the list is empty
--   named_hosts_may_appoint = false
--       true: a listed person may make others moderators for as long as the room lasts
--
-- A listed person becomes owner of the room on joining, even if others came before. For all others each attempt to become
-- owner, admin or moderator is refused, wherever it comes from: the person, another moderator, the focus (jicofo's
-- auto-owner), another module, or being the one who created the room. Accounts in "admins" (focus, bridge) are not
-- changed: Prosody itself makes them owners.
--
-- A JID proves something only where its virtual host asks for a login: never list a host with anonymous authentication.

local jid = require "util.jid";

local listed = module:get_option_array("named_hosts", {});
local file_name = module:get_option_path("named_hosts_file", nil, "config");
local may_appoint = module:get_option_boolean("named_hosts_may_appoint", false);
local high = { owner = true, admin = true };

local function add(entry, where, into)
	local prepped = jid.prep(entry);
	if not prepped or select(3, jid.split(prepped)) then
		module:log("error", "%s: %q is not a bare JID and is ignored", where, entry);
	else
		into[prepped] = true;
	end
end

local configured, services = {}, {};
for _, entry in ipairs(listed) do
	add(entry, "named_hosts", configured);
end
for entry in module:get_option_inherited_set("admins", {}):items() do
	add(entry, "admins", services);
end

local function from_file()
	local names = {};
	local file, problem = io.open(file_name);
	if not file then
		module:log("error", "named_hosts_file cannot be read, so its list is empty: %s", problem);
		return names;
	end
	for line in file:lines() do
		local entry = line:gsub("#.*", ""):match("^%s*(.-)%s*$");
		if entry ~= "" then
			add(entry, file_name, names);
		end
	end
	file:close();
	return names;
end

-- bare: a bare JID, prepped (Prosody's routing has done that)
local function is_host(bare)
	local node, host = jid.split(bare);
	if not node then
		return false;
	end
	if configured[bare] or configured[host] then
		return true;
	end
	local named = file_name and from_file() or {};
	return (named[bare] or named[host]) == true;
end

local function is_service(bare)
	return services[bare] == true;
end

-- Before the presence goes out, so that the first thing that is said about a host is "owner". Before members-only and
-- lobby look (-5): a host need not knock.
module:hook("muc-occupant-pre-join", function (event)
	local room, occupant = event.room, event.occupant;
	local bare = occupant.bare_jid;
	if is_service(bare) then
		return;
	end
	if is_host(bare) then
		room:set_affiliation(true, bare, "owner");
		occupant.role = room:get_default_role("owner");
	elseif not may_appoint and high[room:get_affiliation(bare) or "none"] then
		-- was taken off the list while the room went on
		room:set_affiliation(true, bare, "none");
		occupant.role = room:get_default_role("none");
	end
end, -1);

local function refuse(event, who, wanted)
	module:log("info", "%s does not become %s of %s: not a named host", who, wanted, event.room.jid);
	event.allowed = false;
	return true; -- no later handler may change this
end

local function appointed(event)
	-- "true" is a module that acts for the server: that is not a person's appointment
	return may_appoint and event.actor and event.actor ~= true and is_host(jid.bare(event.actor));
end

module:hook("muc-pre-set-affiliation", function (event)
	local bare = jid.bare(event.jid);
	if high[event.affiliation] and not is_service(bare) and not is_host(bare) and not appointed(event) then
		event.error = { type = "cancel", condition = "not-allowed" };
		return refuse(event, bare, event.affiliation);
	end
end, 1000);

module:hook("muc-pre-set-role", function (event)
	local bare = event.occupant.bare_jid;
	if event.role == "moderator" and not is_service(bare) and not is_host(bare) and not appointed(event) then
		event.error, event.condition = "cancel", "not-allowed";
		return refuse(event, bare, event.role);
	end
end, 1000);
