"""What else one might write: Kafka in, sentiment by MiniLM, (id, label, score) into PostgreSQL.

Each script is as short as its user would write it and takes from the environment `KAFKA` (host:port), `TOPIC`,
`DATABASE` (a URL) and `CHECKPOINT` (a text-classification checkpoint of `transformers`). None of them keeps what
docs/why/delivery.md promises. `requirements.txt` lists what they need beyond this project; it goes into an
environment of its own, since two of them ask for older versions of packages that this project pins.
"""
