"""The demo: a day of invented news and comments, replayed through the real system until an alert is delivered.

`phrases.yaml` holds the words, `scenario` turns them into raw records, `receiver` takes the alert,
`play` runs the system, `closing` shows what happened.
"""
