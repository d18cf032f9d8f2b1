-- Moderators are exactly those on a list. Besides these lines: all of logged-in.cfg.lua, and jicofo/named-hosts.conf.

plugin_paths = { "/usr/local/lib/prosody/modules"; "/usr/share/jitsi-meet/prosody-plugins" } -- the module lies in the first

-- Global, so that conferences and breakout rooms have the same list.
named_hosts = { "alice@meet.example.org" }
named_hosts_file = "/etc/prosody/named-hosts" -- one bare JID a line; leave this or the list out, as you like
named_hosts_may_appoint = false

Component "conference.meet.example.org" "muc"
    modules_enabled = { "muc_named_hosts" } -- beside those that are there

Component "breakout.meet.example.org" "muc"
    modules_enabled = { "muc_named_hosts" }
