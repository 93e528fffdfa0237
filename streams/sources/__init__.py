"""What brings documents in: each source is one file that yields raw documents to `streams.sources.producer`."""
