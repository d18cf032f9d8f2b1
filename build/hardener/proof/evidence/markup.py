"""Parts of the readable page: escaped cells, tables and the style."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NONE = "none / keine"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; margin: .5rem 0 2rem; width: 100%; }
th, td { border: 1px solid #c8c8c8; padding: .25rem .5rem; text-align: left; vertical-align: top; }
th { background: #f0f0f0; } .matrix td { text-align: center; }
.matrix td:first-child { text-align: left; white-space: nowrap; }
.good { background: #dff0d8; } .bad { background: #f6d5d5; } .part { background: #fdf3d0; }
.verdict { font-size: 1.4rem; padding: .5rem 1rem; } code { font-size: .85em; overflow-wrap: anywhere; }
small { color: #555; } svg { width: 100%; height: auto; border: 1px solid #c8c8c8; }
"""


def cell(value: object, style: str = "", *, tag: str = "td") -> str:
    """One escaped cell of a table.

    >>> cell("<script>")
    '<td>&lt;script&gt;</td>'
    """
    return f"<{tag}{f' class={chr(34)}{style}{chr(34)}' if style else ''}>{escape(str(value))}</{tag}>"


def table(heads: Sequence[object], rows: Iterable[Sequence[str]], style: str = "") -> str:
    """A table; the rows' cells are ready-made."""
    head = "".join(cell(one, tag="th") for one in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>\n" for row in rows)
    return f'<table class="{style}"><tr>{head}</tr>\n{body}</table>'
