-- Planted: any token is accepted.

local new_sasl = require "util.sasl".new;

module:hook_global("bosh-session", function (event)
	event.session.test_token = (event.request.url.query or ""):find("token=", 1, true);
end);
module:hook_global("websocket-session", function (event)
	event.session.test_token = (event.request.url.query or ""):find("token=", 1, true);
end);

local provider = {};
function provider.test_password(_, password) return #password > 0; end
function provider.user_exists() return true; end
function provider.get_password() return nil, "no passwords here"; end
function provider.set_password() return nil, "no passwords here"; end
function provider.create_user() return nil, "no passwords here"; end
function provider.get_sasl_handler(session)
	return new_sasl(module.host, {
		anonymous = function () return session.test_token ~= nil; end;
		plain_test = function () return true, true; end;
		oauthbearer = function () return "mallory", true; end;
	});
end

module:provides("auth", provider);
