"""One file per channel, all of one shape (`Notifier`): take a finished payload, say what became of it."""
