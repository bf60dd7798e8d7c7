"""Exim filters: text → commands (`parser`), commands + scope → actions (`interpreter`).

Nothing is delivered here (Exim's filter.txt, chapter 3).

`recognition` tells filters from plain forward files; `words` reads the text; `conditions` and `condition_parser` are the `if` command;
`commands` and `command_parser` the others; `actions` is what comes out, for deliveries to carry out and for `-bf` to print (`printing`).
"""
