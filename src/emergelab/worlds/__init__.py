"""Worlds in which agents act and learn, all behind one small protocol (`world.World`).

`gymnax_worlds` brings the environments of gymnax, `mazes` those of JaxUED, both in extra `worlds`; `sequence` (a hidden
sequence to be found, with others to watch), `grid` (a plain grid world) and `point` (a point on a plane) are our own
and need nothing.
"""
