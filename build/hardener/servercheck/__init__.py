"""``hardener check-server``: what a deployment's configuration leaves open, and what closes it.

``readers/`` (``lua`` ``hocon`` ``javascript`` ``nginx`` ``dotenv`` ``compose``) turns files into values with their
line, and never runs what it reads. ``deployments/`` builds one ``model.Deployment`` out of them, whatever its form.
The modules of ``rules/`` judge it, ``findings.toml`` holds what each finding means and its fix, ``check`` joins all.
"""
