"""What upstream brings from one release to the next, before anything is patched: `hardener delta A B`.

``detectors.py`` finds places in a file, ``packages.py`` reads locks, ``proof/compare.py`` sets two trees (or two built
sites)
against each other, ``report.py`` writes it down as Markdown and JSON.
"""
