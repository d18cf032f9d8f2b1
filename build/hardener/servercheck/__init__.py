"""``hardener check-server``: what a deployment's configuration leaves open, and what closes it.

Readers (``lua`` ``hocon`` ``javascript`` ``nginx`` ``envfile`` ``compose``) turn files into values with their line, and
never run what they read. ``layout`` and ``docker`` build one ``model.Deployment`` out of them, whatever its form. The
``rules_*`` modules judge it, ``findings.toml`` holds what each finding means and its cure, ``check`` joins all.
"""
