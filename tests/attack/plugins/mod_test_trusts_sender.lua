-- Planted: believes clients who they say they are (Prosody itself overwrites the sender of each stanza).

local filters = require "util.filters";

filters.add_filter_hook(function (session)
	filters.add_filter(session, "stanzas/in", function (stanza)
		if stanza.attr and stanza.attr.from then
			stanza.attr.claimed = stanza.attr.from;
		end
		return stanza;
	end, 100);
	filters.add_filter(session, "stanzas/out", function (stanza)
		if stanza.attr and stanza.attr.claimed then
			stanza.attr.from = stanza.attr.claimed;
		end
		return stanza;
	end, 100);
end);
