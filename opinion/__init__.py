"""The shell: command line, wiring, scheduler, supervisor. It may import everything; nothing imports it."""
