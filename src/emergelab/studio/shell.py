"""The frame that every page stands in: header, ways to the other pages, light and dark, and one line for a mistake."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, TypeAlias
from urllib.parse import urlencode

import panel as pn
from panel.theme import Inherit
from panel.theme.native import Native

from ..errors import UserError
from ..figures.style import COLOURS
from .pieces import MOST_BYTES
from .pieces import notice as notice  # pages take it from here
from .processes import Processes
from .runs import Runs

STYLE = "studio/style.css"
STATUS = {"running": "running", "interrupted": "interrupted", "finished": "finished", "no run": "no run"}
Builder: TypeAlias = Callable[[Runs, Processes], tuple[str, Sequence[Any]]]
"""A page: from what there is to its title and its parts."""

_TEMPLATE = """
{% extends base %}
{% block postamble %}
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="studio/style.css">
<script>
document.documentElement.lang = "en";
document.documentElement.dataset.theme = "{{ shade }}";
(function () {
  function keep(theme) { document.cookie = "emergelab_theme=" + theme + "; path=/; max-age=31536000; samesite=strict"; }
  if (!/(^|; )emergelab_theme=/.test(document.cookie)) {
    var dark = matchMedia("(prefers-color-scheme: dark)").matches;
    keep(dark ? "dark" : "light");
    if (dark && /(^|; )emergelab_theme=/.test(document.cookie)) location.reload();
  }
  window.switchTheme = function () {
    keep(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    location.reload();
  };
  function tell(words) {
    var line = document.getElementById("told");
    line.textContent = words;
    line.hidden = !words;
  }
  // A file that is too large is not sent at all: the event after this one finds the field empty.
  document.addEventListener("input", function (event) {
    var field = event.composedPath()[0];
    if (field.type !== "file") return;
    tell("");
    for (var file of field.files) if (file.size > {{ most_bytes }}) {
      var size = (file.size / 1e6).toFixed(1);
      tell(file.name + " has " + size + " MB; at most {{ most_bytes // 1000000 }} MB are taken");
      field.value = "";
      return;
    }
  }, true);
  var waiting = setInterval(function () {
    if (!window.Bokeh || !Bokeh.documents.length) return;
    clearInterval(waiting);
    Bokeh.documents[0].on_event("connection_lost", function () {
      tell("The studio does not answer any more. Runs go on without it; start it again and reload this page.");
    });
  }, 300);
})();
</script>
{% endblock %}
{% block contents %}
<a class="skip" href="#main">to the content</a>
<header class="bar">
  <a class="mark" href="./">emergelab <span>studio</span></a>
  <nav aria-label="pages">
    {% for name, path in links %}<a href="{{ path }}"{% if path == here %} aria-current="page"{% endif %}>{{ name }}</a>
    {% endfor %}
  </nav>
  <button type="button" class="theme" onclick="switchTheme()" aria-label="switch between light and dark">
    {{ "light" if shade == "dark" else "dark" }}</button>
</header>
<main id="main" tabindex="-1"><p id="told" class="notice wrong" role="alert" hidden></p>{{ embed(roots.main) }}</main>
{% endblock %}
"""
_LINKS = (("Studies", "./"), ("Runs", "runs"), ("Measure", "measure"))


class House(Native):
    """Panel's own look with the studio's style sheet in every shadow tree."""

    modifiers = {
        pn.viewable.Viewable: {
            "stylesheets": [Inherit, *Native.modifiers[pn.viewable.Viewable]["stylesheets"][1:], STYLE]
        }
    }


def is_dark() -> bool:
    """Whether this page is shown dark."""
    return bool(pn.state.cookies.get("emergelab_theme") == "dark")


def page(build: Builder, runs: Runs, processes: Processes) -> Callable[[], Any]:
    """What Panel serves for a page: a function without arguments that lays it out for one visitor."""

    def made() -> Any:
        theme = "dark" if is_dark() else "light"
        pn.config.theme = "dark" if theme == "dark" else "default"
        pn.config.design = House
        try:
            title, parts = build(runs, processes)
        except (UserError, OSError) as error:
            title, parts = "This cannot be shown", [notice(str(error), wrong=True)]
        except Exception as error:
            # A fault of ours is one line for the visitor; where the server runs it is told whole.
            traceback.print_exc()
            title, parts = "This cannot be shown", [notice(f"{type(error).__name__}: {error}", wrong=True)]
        template = pn.Template(_TEMPLATE, design=House, theme=pn.theme.THEMES[pn.config.theme])
        template.title = f"{title} · emergelab studio"
        head = html(f"<h1>{escape(title)}</h1>")
        template.add_panel("main", pn.Column(head, *parts, sizing_mode="stretch_width", css_classes=["page"]))
        here = pn.state.location.pathname if pn.state.location else ""
        template.add_variable("shade", theme)
        template.add_variable("links", _LINKS)
        template.add_variable("most_bytes", MOST_BYTES)
        template.add_variable("here", here.lstrip("/") or "./")
        return template

    return made


def html(text: str, **look: Any) -> pn.pane.HTML:
    """HTML of our own making; what comes from elsewhere must be escaped before."""
    return pn.pane.HTML(text, **({"sizing_mode": "stretch_width", "margin": (0, 0)} | look))


def link(words: str, path: str, **query: str | Sequence[str]) -> str:
    """A link to another page; words and values are escaped."""
    return f'<a href="{escape(address(path, **query), quote=True)}">{escape(words)}</a>'


def address(path: str, **query: str | Sequence[str]) -> str:
    """The address of a page with its query."""
    return f"{path}?{urlencode(query, doseq=True)}" if query else path


def chip(status: str) -> str:
    """A status or a verdict as a small label."""
    return f'<span class="chip {escape(status.replace(" ", "-"), quote=True)}">{escape(status)}</span>'


def asked(name: str) -> list[str]:
    """The values of a name in the page's address."""
    values = pn.state.session_args.get(name, [])
    return [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values]


def colour(index: int) -> str:
    """The house's colours in order; lighter on a dark page, where they were made for a white one."""
    given = COLOURS[index % len(COLOURS)]
    if not is_dark():
        return given
    parts = (int(given[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(part + 0.38 * (255 - part)):02X}" for part in parts)
