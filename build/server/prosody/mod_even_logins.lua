-- Answers a login of an account that does not exist as it answers one with a wrong password: the same messages, the same work.
--
-- Load it on the virtual host of the accounts. Works on Prosody 0.12 and 13, where Prosody itself keeps the passwords
-- (authentication = "internal_hashed" or "internal_plain"); with a directory (LDAP) the directory has to do it.
--
--   even_logins_secret = "..."
--       only where several servers serve the same accounts: the same on each. Otherwise the module makes one and keeps it
--
-- Without it, SCRAM refuses an unknown name in its first answer and without any work, and PLAIN without hashing: an
-- attacker who tries names learns which ones exist. Accounts with another number of iterations than default_iteration_count can still
-- be distinguished by SCRAM until their password is set again.

local hashes = require "util.hashes";
local hashers = require "util.sasl.scram".hashers;
local random = require "util.random";
local usermanager = require "core.usermanager";

local host = module.host;
local iterations = module:get_option_number("default_iteration_count", 10000);

local function kept_secret()
	local store = module:open_store("even_logins");
	local kept = store:get() or {};
	if not kept.secret then
		kept.secret = hashes.sha256(random.bytes(32), true);
		assert(store:set(nil, kept));
	end
	return kept.secret;
end

local secret = module:get_option_string("even_logins_secret") or kept_secret();

-- The same for a name each time, and in the form of the salts that Prosody makes: a UUID.
local function salt_of(username)
	local hex = hashes.hmac_sha256(secret, host .. "\0" .. username, true);
	local variant = ("89ab"):sub(tonumber(hex:sub(17, 17), 16) % 4 + 1):sub(1, 1);
	return ("%s-%s-4%s-%s%s-%s"):format(hex:sub(1, 8), hex:sub(9, 12), hex:sub(13, 15), variant, hex:sub(18, 20), hex:sub(21, 32));
end

-- Keys that no password leads to.
local function keys_of(username, hasher)
	local _, stored_key, server_key = hasher(random.bytes(16):gsub(".", function (byte)
		return ("%02x"):format(byte:byte());
	end), salt_of(username), 1);
	return stored_key, server_key;
end

local function level_scram(profile, name, hasher)
	local known = profile[name];
	profile[name] = function (self, username, ...)
		local stored_key, server_key, count, salt, state = known(self, username, ...);
		if state ~= nil then
			return stored_key, server_key, count, salt, state;
		end
		stored_key, server_key = keys_of(username, hasher);
		return stored_key, server_key, iterations, salt_of(username), true;
	end
end

local function level_plain_test(profile, hasher)
	local test = profile.plain_test;
	profile.plain_test = function (self, username, password, ...)
		if not usermanager.user_exists(username, host) then
			hasher(password, salt_of(username), iterations);
		end
		return test(self, username, password, ...);
	end
end

local function level_plain(profile)
	local known = profile.plain;
	profile.plain = function (self, username, ...)
		local password, state = known(self, username, ...);
		if state ~= nil then
			return password, state;
		end
		return hashes.sha256(random.bytes(16), true), true;
	end
end

local function level(profile)
	if profile.plain then
		level_plain(profile);
	end
	for name, known in pairs(profile) do
		local digest = type(known) == "function" and name:match("^scram_(.+)$");
		local hasher = digest and hashers[digest:upper():gsub("_", "-")];
		if hasher then
			level_scram(profile, name, hasher);
			if profile.plain_test then
				level_plain_test(profile, hasher);
			end
			return; -- a host has one kind of stored passwords
		end
	end
end

local originals = {};

module:handle_items("auth-provider", function (event)
	local provider = event.item;
	local original = provider.get_sasl_handler;
	originals[provider] = original;
	provider.get_sasl_handler = function (session)
		local handler = original(session);
		if handler and handler.profile then
			level(handler.profile);
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
