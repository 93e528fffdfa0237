"""Messages on their way: receivers, the outbox emptied, and a notifier for each kind of channel."""
