"""The built site over HTTP without nginx: routed, filled in and sent as the snippets of build/nginx say."""
