"""Reports: one question, its answer, the verdicts and the figures on one HTML page that needs nothing else.

The page is a single file without scripts and without anything fetched from elsewhere, so it can be mailed,
archived beside a paper, opened in ten years, and printed.
"""

from emergelab.report.html import Reference, Table, Verdict, render, write_report
from emergelab.report.interval import interval_svg

__all__ = ["Reference", "Table", "Verdict", "interval_svg", "render", "write_report"]
