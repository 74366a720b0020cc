"""From verdict to people: what is told, through which channel, how often it is tried, and the record of it.

`queueing` writes rows in the transaction of the change that they tell of; `sending` claims what is due and sends it
outside of any transaction; `posting` runs `program`, a process of its own and the only one that loads apprise.
"""
