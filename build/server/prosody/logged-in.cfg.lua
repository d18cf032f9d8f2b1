-- Moderators are exactly the logged-in. Prosody's part: an account is required. The roles are given by jicofo
-- (jicofo/logged-in.conf). Put the lines into the sections that they name; docs/operator.md#roles explains each.

allow_registration = false

VirtualHost "meet.example.org"
    authentication = "internal_hashed" -- or "cyrus" (LDAP), or "token" with allow_empty_token = false; never anonymous
    disable_sasl_mechanisms = { "PLAIN"; "DIGEST-MD5"; "OAUTHBEARER" } -- with "cyrus" PLAIN has to stay

-- No VirtualHost "guest.meet.example.org", and no host with authentication = "anonymous" or "jitsi-anonymous".

Component "conference.meet.example.org" "muc"
    restrict_room_creation = true
    admins = { "focus@auth.meet.example.org" }
    -- Not in modules_enabled: muc_allowners (everybody is owner), muc_wait_for_host (grants owner, too).
