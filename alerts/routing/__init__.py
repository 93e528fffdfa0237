"""Who is to hear of what, and when. Pure: incidents, subscriptions, silences and the time in; messages out."""
