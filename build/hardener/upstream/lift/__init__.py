"""Moving the pin: `hardener lift` carries all series and overlays from one release of upstream to another.

``flow.py`` is the conversation (start, continue, abort, restart); the others are its steps: ``target.py`` (which
commits), ``rebase.py`` (one patch), ``causes.py`` (which upstream commit is to blame), ``worktree.py`` (where a person
resolves a conflict), ``lists.py`` (overlays, removals, aliases), ``write.py`` (files and commits), ``state.py``.
"""
