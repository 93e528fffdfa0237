"""Rules as people write them, and what they would have found."""
