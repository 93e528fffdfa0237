"""From counts to notifications: detect surges of negative opinion, keep incidents, tell people once.

In: the minute counts (`storage.bucket_counts`) and how far the stream has come (`alerts.watermark`).
Out: `incident`, `incident_event`, `evidence` and the outbox `notification`, written in one transaction per run
(`alerts.evaluate`), and deliveries from that outbox (`alerts.pipeline`, at least once, with a stable id), in the form
that each kind of channel takes (`alerts.rendering`, `alerts.notifiers`).

The same documents give the same incidents, whatever the order of arrival within the lateness, the number of
workers or the schedule of runs. `detectors`, `baselines`, `tails`, `pooling`, `volume`, `timeline`, `lifecycle`,
`watermark`, `rules`, `grouping`, `routing`, `planning`, `quiet_hours`, `digests`, `dry_run`, `admission` and
`rendering` are pure. May import `storage` and `core`.

An incident's reasons are gathered by `evidence` and worked out again by `verifying`; their pure parts are
`judgement`, `severity`, `intervals`, `drivers`, `terms`, `representatives`, `chart_series` and `chart_plan`.
"""
