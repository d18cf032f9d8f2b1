admins = { }
modules_enabled = {
    "roster"; "saslauth"; "tls"; "disco"; "admin_shell"; "limits"; "ping"; "posix"; "http_health";
};
modules_disabled = { "offline"; "register"; "s2s"; };
allow_registration = false;
c2s_interfaces = { "*", "::" }
authentication = "internal_hashed"
log = { { levels = {min = "warn"}, timestamps = "%Y-%m-%d %X", to = "console"}; }
disable_sasl_mechanisms = { "PLAIN"; "DIGEST-MD5"; "OAUTHBEARER" }
http_ports = { 5280 }
http_interfaces = { "*", "::" }
data_path = "/config/data"
Include "conf.d/*.cfg.lua"
