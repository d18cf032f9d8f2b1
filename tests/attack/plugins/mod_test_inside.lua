-- Planted: what belongs to the server's inside answers over HTTP.

module:depends("http");
module:provides("http", {
	default_path = "/";
	route = {
		["GET /sessions"] = "3";
		["GET /room-size"] = '{"participants":2}';
		["POST /conference-request/v1"] = '{"ready":true,"focusJid":"focus@auth.meet.test"}';
	};
});
