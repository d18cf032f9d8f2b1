"""Every way into a conference that needs no personal login, tried on a running server: none may work."""
