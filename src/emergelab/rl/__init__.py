"""Reinforcement learning as pure functions, and as a system whose step is one update.

`policies` (what a network says about actions), `networks` (feed-forward and recurrent actor-critics), `rollout`
(episodes, many at a time, and their evaluation), `advantages`, `ppo` (the update), `learner` (all of it as an
`el.System`), `hosts` (Gymnasium and PettingZoo environments for host systems).
"""
