"""Reports for people: a day or a week of everything or of one watchlist, and the dossier of an incident.

Figures are read from the counts and a bounded sample of documents in one transaction, so a report can be worked out
again in SQL; each statement names documents by id. What comes out is one HTML file that loads nothing from anywhere.
"""
