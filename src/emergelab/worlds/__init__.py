"""Worlds in which agents act and learn, all behind one small protocol (`world.World`).

`gymnax_worlds` brings the environments of gymnax (extra `worlds`). `grid` (a plain grid world), `mazes` (MiniGrid's,
and the board on which one is drawn), `sequence` (a hidden sequence to be found, with others to watch), `plane`
(continuous places, walls, a body with a posture, a table with discs) and `track` (stumps that a body must jump) need
nothing.
"""
