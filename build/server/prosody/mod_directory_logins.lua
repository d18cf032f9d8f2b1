-- Lets people log in with the names that their directory has, and reports a directory that is down as what it is.
--
-- Load it on the virtual host of the accounts, with authentication = "ldap" (mod_auth_ldap). Works on Prosody 0.12 and 13.
--
-- An XMPP address cannot contain spaces and signs like "@": clients escape them (XEP-0106). mod_auth_ldap asks the directory
-- for the escaped name, which no entry has. And it answers "wrong password" while the directory cannot be reached.

local lualdap = require "lualdap";
local jid = require "util.jid";

local server = module:get_option_string("ldap_server", "localhost");
local binddn = module:get_option_string("ldap_rootdn", "");
local password = module:get_option_string("ldap_password", "");
local tls = module:get_option_boolean("ldap_tls");

-- Return the name as the directory has it, or nil. A directory ignores spaces at the ends of a name and repeated ones:
-- each name but one of those that it takes for the same is refused, so that a person has one address.
local function name_of(username)
	local name = jid.unescape(username);
	if jid.escape(name) ~= username or name:find("^ ") or name:find(" $") or name:find("  ", 1, true) then
		return nil;
	end
	return name;
end

local function answers()
	local ok, connection = pcall(lualdap.open_simple, server, binddn, password, tls);
	if ok and connection then
		pcall(connection.close, connection);
		return true;
	end
	return false;
end

local function with_names(profile)
	local test = profile.plain_test;
	profile.plain_test = function (self, username, ...)
		local name = name_of(username);
		if not name then
			return false, true;
		end
		return test(self, name, ...);
	end
end

local with_reason;
function with_reason(handler)
	local process, clean_clone = handler.process, handler.clean_clone;
	handler.process = function (self, message)
		local status, condition, text = process(self, message);
		if status == "failure" and condition == "not-authorized" and not answers() then
			module:log("error", "The directory %s does not answer, or refuses the account of this server", server);
			return "failure", "temporary-auth-failure", "The directory cannot be reached.";
		end
		return status, condition, text;
	end
	handler.clean_clone = function (self) -- for the next attempt on the same stream
		return with_reason(clean_clone(self));
	end
	return handler;
end

local originals = {};

module:handle_items("auth-provider", function (event)
	local provider = event.item;
	local original = provider.get_sasl_handler;
	originals[provider] = original;
	provider.get_sasl_handler = function (session)
		local handler = original(session);
		if handler and handler.profile and handler.profile.plain_test then
			with_names(handler.profile);
			handler = with_reason(handler);
		end
		return handler;
	end
end, function (event)
	event.item.get_sasl_handler = originals[event.item];
	originals[event.item] = nil;
end, true);

function module.unload()
	for provider, original in pairs(originals) do
		provider.get_sasl_handler = original;
	end
end
