"""From counts to episodes: what a series is, what is usual of it, and when it surges. Pure but for `judging`,
`rereading` and `clock_models`, which read SQL."""
