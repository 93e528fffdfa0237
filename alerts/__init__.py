"""From counts to notifications: detect surges of negative opinion, keep incidents, tell the right people once.

In: the minute counts (`storage.bucket_counts`) and how far the stream has come (`detection.watermark`).
Out: `incident`, `incident_event`, `evidence` and the outbox `notification`, written in one transaction per run
(`evaluate`), and deliveries from that outbox (`delivery.pipeline`, at least once, with a stable id).

The rooms, in the order in which one leads to the next:

- `detection`: what a series counts, what is usual of it, when it surges, and which episodes that makes;
- `rulebook`: rules as people write them, merged with the defaults, and tried on the past;
- `reasons`: the evidence of an incident, worked out once and worked out again;
- `watches`: incidents that are not a surge of one series: sources, dead letters, the whole platform, slow drifts;
- `routing`: who is to hear of what and when (`telling` and `digesting` write it down);
- `rendering`: a message in the form that each kind of channel takes;
- `delivery`: the outbox emptied, receiver by receiver.

The same documents give the same incidents, whatever the order of arrival within the lateness, the number of workers
or the schedule of runs. May import `storage` and `core`.
"""
