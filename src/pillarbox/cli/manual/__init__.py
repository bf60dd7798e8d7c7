"""The manual pages, made from what the code declares.

`roff` writes them; `exim_options`, `utilities`, `pillarbox_command` and `settings` say what stands in them; `pages` has them all.
"""
