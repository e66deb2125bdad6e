"""The second depth: the whole daemon with the real discord.py, on the loopback Discord, without sockets or waiting.

Read in this order: `transport` stands in for aiohttp, `server` is the loopback Discord behind it, `daemon` one life,
`people` what people do there, and `simulation` one seed.
"""
