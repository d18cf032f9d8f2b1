-- Participants send into a room what a Jitsi client sends, and nothing else. With either promise about roles; docs/operator.md#roles.

plugin_paths = { "/usr/local/lib/prosody/modules"; "/usr/share/jitsi-meet/prosody-plugins" } -- the module lies in the first

-- Global, so that all rooms have the same. Only where there are such machines; never an account or a host of persons.
known_stanzas_services = { "jigasi@auth.meet.example.org" }

Component "conference.meet.example.org" "muc"
    modules_enabled = { "muc_known_stanzas" } -- beside those that are there

Component "breakout.meet.example.org" "muc"
    modules_enabled = { "muc_known_stanzas" }

Component "lobby.meet.example.org" "muc"
    modules_enabled = { "muc_known_stanzas" }
