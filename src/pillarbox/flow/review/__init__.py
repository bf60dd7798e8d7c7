"""What is suspicious about a configuration that loads: questions asked before any mail flows (`pillarbox config check`).

One check, one file in `checks/`; each is a function from the configuration to findings. They read the text as written, so that a finding
names file:line, and run the compiled configuration where only that tells.
"""
