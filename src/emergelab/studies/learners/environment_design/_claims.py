"""What the papers state about designed environments, as tests over seeds."""

from __future__ import annotations

import emergelab as el

from ._measures import late_growth_of_path, late_growth_of_regret, path_growth, solved_path_growth

__all__ = ["claims"]

LATE = (110, 150)  # the last quarter of the quick size

claims = (
    el.Claim(
        "Under PAIRED the way to the goal grows as the learner grows",
        el.level(path_growth, "paired"),
        ">",
        0.5,
        published="path lengths rise over training (Dennis et al. 2020, fig. 3)",
        about="Theil-Sen slope, cells in 100 updates; half a cell is a tenth of a random level's way",
        unit="1",
        expect=("inconclusive", "supported"),
    ),
    el.Claim(
        "It grows more than among random levels",
        el.contrast(path_growth, "paired", "dr"),
        ">",
        0.5,
        published="random levels stay as they are (Dennis et al. 2020, fig. 3)",
        about="as above; differences seed by seed",
        unit="1",
        expect="inconclusive",
    ),
    el.Claim(
        "The ways that the protagonist masters grow more than among random levels",
        el.contrast(solved_path_growth, "paired", "dr"),
        ">",
        0.5,
        published="solved path lengths rise most under PAIRED (Dennis et al. 2020, fig. 3)",
        about="as above, levels that were solved only",
        unit="1",
        expect="inconclusive",
    ),
    el.Claim(
        "They grow more than under minimax, too",
        el.contrast(path_growth, "paired", "minimax"),
        ">",
        0.5,
        published="minimax's levels stop having a way (Dennis et al. 2020, fig. 3)",
        about="as above; a level without a way counts 0",
        unit="1",
    ),
    el.Claim(
        "Under ACCEL it grows more than among random levels, although nobody designs",
        el.contrast(path_growth, "accel", "dr"),
        ">",
        0.5,
        published="edits lead from empty boards to long ways (Parker-Holder et al. 2022)",
        about="as above; this claim was added when the run had been seen",
        unit="1",
    ),
    el.Claim(
        "Levels paid by regret can be solved, levels paid by minus return cannot",
        el.contrast("solvable", "paired", "minimax", at=LATE),
        ">",
        0.2,
        published="minimax makes levels that cannot be solved (Dennis et al. 2020)",
        about="last quarter; a fifth of the levels would be a difference that no one overlooks",
        unit="1",
    ),
    el.Claim(
        "Under minimax the protagonist hardly ever arrives",
        el.level("solved", "minimax", at=LATE, value=0.2),
        "<",
        0.05,
        published="its agents solve next to nothing (Jiang et al. 2021: 0 on Labyrinth and Maze)",
        about="last quarter, below 0.15; a beginner solves more of the random levels",
        unit="1",
    ),
    el.Claim(
        "PAIRED transfers better than minimax",
        el.contrast("zero_shot", "paired", "minimax"),
        ">",
        0.05,
        published="PAIRED above minimax on every maze (Dennis et al. 2020; Jiang et al. 2021)",
        about="test mazes solved, all nine; 0.05 is half a maze",
        unit="1",
        expect="inconclusive",
    ),
    el.Claim(
        "PAIRED transfers better than random levels",
        el.contrast("zero_shot", "paired", "dr"),
        ">",
        0.05,
        published="yes (Dennis et al. 2020); not on average in a re-run (Jiang et al. 2021: .30 and .18 on Labyrinth, "
        ".00 and .04 on Maze, .67 and .90 on SixteenRooms)",
        about="contested; same margin",
        unit="1",
        expect="inconclusive",
    ),
    el.Claim(
        "Robust PLR transfers better to labyrinths and perfect mazes than random levels",
        el.contrast("hard", "robust-plr", "dr"),
        ">",
        0.05,
        published="+.36 on Labyrinth and +.55 on Maze (Jiang et al. 2021, 250 million steps)",
        about="five mazes of 7 x 7; same margin",
        unit="1",
        expect="inconclusive",
    ),
    el.Claim(
        "In the second half the way still grows under PAIRED",
        el.level(late_growth_of_path, "paired"),
        ">",
        0.2,
        published="not in the paper",
        about="Theil-Sen slope, cells in 100 updates; with the next claim, a race in which the gap does not open",
        unit="1",
        expect=("inconclusive", "supported"),
    ),
    el.Claim(
        "while the protagonist's regret does not",
        el.level(late_growth_of_regret, "paired"),
        "<",
        0.01,
        published="not in the paper",
        about="Theil-Sen slope of true regret, return in 100 updates; a tenth of its usual size",
        unit="1",
        expect="inconclusive",
    ),
)
