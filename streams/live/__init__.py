"""Topics as live streams for many readers at once, out of one consumer of each topic.

What comes in is a topic; what goes out are server-sent events (https://html.spec.whatwg.org/#server-sent-events),
encoded once for all readers. `ring.py` holds the newest records, `hub.py` fills it from the one consumer, `reader.py`
is one reader, and `side_readers.py` reads older records again for a reader that was away or is slow.

Guarantee: a reader that goes on at its cursor misses no record that Kafka still holds, and is told of a gap where it
does not. A record that the topic holds twice (equal `ce_id`) is given once, as far as `repeats.py` remembers.
"""
