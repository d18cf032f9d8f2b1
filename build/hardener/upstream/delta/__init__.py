"""Report what upstream brings from one release to the next, before any patch is applied: `hardener delta A B`.

``detectors.py`` finds places in a file, ``lockfile.py`` reads locks, ``diff.py`` compares two trees (or two built
sites), ``report.py`` writes the result as Markdown and JSON.
"""
