"""Reinforcement learning as pure functions, and as a system whose step is one update.

`policies` (what a network says about actions), `networks` (feed-forward and recurrent actor-critics), `rollout`
(episodes, many at a time, and their evaluation), `advantages`, `ppo` (the update), `sac` (another one, that learns from
what was kept), `multi_critic` (the same with a critic for each of several rewards), `skill_maps` (what skills are paid
for), `evolution` (search without gradients), `learner` (all of it as an `el.System`), `hosts` (environments of
Gymnasium and PettingZoo).
"""
