"""What each kind of channel is sent: one file per kind, all of one shape (`contract.Renderer`), pure.

In: a message (`alerts.routing.grouping.Message`) and the frozen evidence. Out: the payload as it lies in the
outbox, JSON
values, whole and within the target's limits. Secrets and signatures are no part of it: the notifiers add them.

Every quoted text stands on a line of its own, so that whoever erases a document (`storage.erasure`) erases that line.
"""
