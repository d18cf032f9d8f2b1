"""Moving the pin: `hardener lift` carries all series and overlays from one release of upstream to another.

``session.py`` starts, continues, aborts and restarts a lift, and ``sequencer.py`` is what happens in between:
``rebase.py`` (one patch), ``blame.py`` (which upstream commit is behind a conflict), ``worktree.py`` (where a person
resolves it), ``overlays.py`` (overlays, removals, aliases), ``export.py`` (patch files and pins), ``tomledit.py``
(changes to TOML files), ``snapshot.py`` (the project's own files), ``messages.py`` and ``state.py``.
``upstream/target.py`` says which commits a release consists of.
"""
