"""Invented towns with plausible histories, for demonstrations and load tests; each says in its name that it is none.

`entering` enters them by the ordinary commands, `town` is a town, `life` one partnership, whose story `proposals`,
`projects` and `agreements` tell by the programmes of the same names and `practice` goes on with. The same seed tells
the same histories.
"""
