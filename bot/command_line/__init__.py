"""What the commands of `trinity` do, by topic; `__main__` says which there are and what may be written behind them.

To read it: `ending` (how whatever comes of a command becomes an exit status), `running` (Discord, the terminal),
`configuration` (config, reload), `doctor` (and invite), `setup`, `replay`, and `database` (migrate, backup, restore,
purge).
"""
