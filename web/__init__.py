"""The console: what the pipeline wrote, for people in a browser and for scripts over JSON.

In: PostgreSQL, through `storage.queries` and `storage.series`. Out: HTML (Jinja2, htmx, ECharts) and `/api/v1`.
It reads in read-only transactions, and changes nothing but the acknowledgement of an incident and what programs with
a token send: their documents go to the `DocumentSink` that `create_app` is given. Every asset comes from this
package: no page asks a foreign host for anything. May import `storage` and `core`.
"""
